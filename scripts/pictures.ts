/**
 * `npm run pictures`: the pictures of the documents, taken in Chromium of a `ctr demo` that has run for a while. What they show is made up;
 * how it looks is not.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sleep } from '../src/clock.ts'
import { startProgram } from '../workshop/child.ts'
import { openBrowser, openPage } from '../workshop/chromium.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FOLDER = join(ROOT, 'docs', 'pictures')
const ADDRESS_MAX_MS = 30_000
const WINDOWS_MS = 75_000
const DRAWN_MS = 4_000

const PICTURES = [{ name: 'now', view: 'now', colorScheme: 'light', height: 860 }] as const

const folder = mkdtempSync(join(tmpdir(), 'ctr-pictures-'))
const words = [join(ROOT, 'src', 'main.ts'), 'demo', '--rate', '20k', '--http.port', '0']
const demo = startProgram(process.execPath, words, { folder, cwd: folder })
try {
  const url = await addressOf(() => demo.stdout)
  await sleep(WINDOWS_MS)
  const browser = await openBrowser()
  mkdirSync(FOLDER, { recursive: true })
  for (const { name, view, colorScheme, height } of PICTURES) {
    const { page, faults } = await openPage(browser, { colorScheme, viewport: { width: 1280, height } })
    await page.goto(`${url}#/${view}`)
    await sleep(DRAWN_MS)
    await page.screenshot({ path: join(FOLDER, `${name}.png`) })
    if (faults.length > 0) throw new Error(`${name}: ${faults.join('; ')}`)
  }
  await browser.close()
} finally {
  demo.process.kill('SIGINT')
  await demo.ended
  rmSync(folder, { recursive: true, force: true })
}

async function addressOf(read: () => string): Promise<string> {
  for (let waitedMs = 0; waitedMs < ADDRESS_MAX_MS; waitedMs += 100) {
    const found = /the page: (\S+)/.exec(read())?.[1]
    if (found !== undefined) return found
    await sleep(100)
  }
  throw new Error(`the demo names no address:\n${read()}`)
}
