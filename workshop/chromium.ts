/**
 * A Chromium as it is installed, driven by playwright. One that is not there is a failure that says what to install. It may ask this
 * machine only: what goes elsewhere is refused, and kept for the test to look at.
 */
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const PLACES: readonly string[] = [process.env.CHROMIUM ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const REMEDY = 'apt-get install -y --no-install-recommends chromium, or set CHROMIUM to the path of a browser'
const STEP_MAX_MS = 15_000

/** Starts one; whoever starts it closes it. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = PLACES.find((place) => place !== '' && existsSync(place))
  if (executablePath === undefined) throw new Error(`Chromium is not there; install it: ${REMEDY}`)
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}

/** A page, and what went wrong on it so far. */
export interface WatchedPage {
  readonly page: Page
  /** Errors of scripts, refusals of the policy, and requests to other hosts. */
  readonly faults: string[]
}

/** A page in a context of its own, closed with the browser. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const faults: string[] = []
  await context.route(
    (url) => url.hostname !== '127.0.0.1' && url.protocol.startsWith('http'),
    (route) => {
      faults.push(`asked ${route.request().url()}`)
      return route.abort()
    },
  )
  const page = await context.newPage()
  page.setDefaultTimeout(STEP_MAX_MS)
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) faults.push(message.text())
  })
  return { page, faults }
}
