/** The page in a real Chromium, served by the real server, of made-up engines and of ones that go away. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createRegistry } from '../../src/metrics/registry.ts'
import type { ApiAnswer } from '../../src/server/api-schemas.ts'
import { type Server, type ServerOptions, startServer } from '../../src/server/http.ts'
import { pageFiles } from '../../src/server/page-files.ts'
import { parseAddress, VIEWS as VIEW_NAMES } from '../../src/ui/address.ts'
import { questionsOf } from '../../src/ui/needs.ts'
import { openBrowser, openPage, type WatchedPage } from '../../workshop/chromium.ts'
import { someStats } from '../../workshop/stats.ts'
import { engineAnswers, HOSTILE_IDS, type MadeUp } from '../support/engine-answers.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PRODUCTS = ['product-1', 'product-2', 'rare', ...HOSTILE_IDS]
const VIEWS = Object.keys(VIEW_NAMES)
const NAMES = Object.values(VIEW_NAMES)
const files = pageFiles()
const sound = await engineAnswers({ partitions: 1, products: [], now: () => Date.now() }).state({})
const PRODUCTS_PATH = questionsOf(parseAddress('#/products')).find(({ path }) => path.startsWith('products'))!.path

let browser: Browser
beforeAll(async () => {
  browser = await openBrowser()
})
afterAll(async () => {
  await browser.close()
})

/** A server of a made-up engine; closed at the end of the test. */
async function serve(made: Partial<MadeUp> = {}, options: Partial<ServerOptions> = {}): Promise<Server> {
  const api = engineAnswers({ partitions: 8, products: PRODUCTS, now: () => Date.now(), ...made })
  const registry = createRegistry(() => someStats())
  const server = await startServer({ host: '127.0.0.1', port: 0, registry, read: () => someStats(), ui: () => files, api, ...options })
  onTestFinished(() => server.close())
  return server
}

/** The page there; nothing may go wrong on it. */
async function show(url: string, options: Parameters<typeof openPage>[1] = {}): Promise<WatchedPage> {
  const watched = await openPage(browser, options)
  onTestFinished(() => watched.page.context().close())
  await watched.page.goto(url)
  return watched
}

const shown = (page: Page, text: string) => page.getByText(text).first().waitFor()

/** What axe finds against WCAG 2.2 A and AA and good practice. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  const found = await page.evaluate('axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] })')
  const { violations: all } = found as { violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }
  return all.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`))
}

describe('every view', () => {
  test.each(VIEWS)('%s is shown, without a fault, a request elsewhere or a violation, light and dark, phone to wall', async (view) => {
    const { url } = await serve()
    for (const [colorScheme, width] of [
      ['light', 1920],
      ['dark', 360],
    ] as const) {
      const { page, faults } = await show(`${url}/ui#/${view}`, { colorScheme, viewport: { width, height: 900 } })
      await page.locator('main table, main form, main dl, main label').first().waitFor()
      await page.waitForTimeout(150)
      expect(await violations(page)).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')).toBe(0)
      expect(faults).toEqual([])
    }
  })
})

test('the policy is in force: nothing inline runs, and the page lives with it', async () => {
  const { url } = await serve()
  const { page } = await show(`${url}/ui`)
  await shown(page, 'It runs well')
  const answer = await page.request.get(`${url}/ui`)
  expect(answer.headers()['content-security-policy']).toContain("default-src 'self'")
  await page.evaluate('const s = document.createElement("script"); s.textContent = "globalThis.ran = 1"; document.body.append(s)')
  expect(await page.evaluate('globalThis.ran')).toBeUndefined()
})

test('ids of products are text, whatever they look like', async () => {
  const { url } = await serve()
  const { page, faults } = await show(`${url}/ui#/products`)
  for (const id of HOSTILE_IDS) {
    const link = page.locator('main table').first().locator('a.id').filter({ hasText: id })
    expect(await link.first().textContent()).toBe(id)
    await link.first().click()
    await page.locator('h2 .id').filter({ hasText: id }).waitFor()
    expect(await page.locator('h2 .id').textContent()).toBe(id)
    await page.locator('main details').first().waitFor()
    await page.goBack()
    await page.locator('main table').first().waitFor()
  }
  expect(await page.evaluate('globalThis.pwned')).toBeUndefined()
  expect(await page.locator('main img, main script').count()).toBe(0)
  expect(faults).toEqual([])
})

test('everything is reached by the keyboard, and what has the focus shows it', async () => {
  const { url } = await serve()
  const { page } = await show(`${url}/ui`)
  await page.locator('ctr-chart').first().waitFor()
  const seen: string[] = []
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press('Tab')
    const at = (await page.evaluate(`(() => {
      if (document.activeElement === document.body) return ''
      const at = document.activeElement.matches('input[type=file]') ? document.activeElement.parentElement : document.activeElement
      const { outlineStyle } = getComputedStyle(at)
      return (outlineStyle === 'none' ? 'UNSEEN ' : '') + (at.getAttribute('aria-label') ?? at.textContent).trim()
    })()`)) as string
    if (at === '') break
    seen.push(at)
  }
  expect(seen.filter((each) => each.startsWith('UNSEEN'))).toEqual([])
  expect(seen[0]).toBe('To the content')
  expect(seen).toEqual(expect.arrayContaining(['Products', 'Configuration', '6 hours', 'CTR: time', 'Save as a file', 'Colours: auto']))
  const chart = page.getByRole('slider', { name: 'Records a second: time' })
  await chart.focus()
  await page.keyboard.press('Home')
  const first = await chart.getAttribute('aria-valuetext')
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('ArrowRight')
  const third = await chart.getAttribute('aria-valuetext')
  expect(Date.parse(third!.slice(0, 19)) - Date.parse(first!.slice(0, 19))).toBe(2000)
  // One cursor for all.
  expect((await page.getByRole('slider', { name: 'CTR: time' }).getAttribute('aria-valuetext'))?.slice(0, 19)).toBe(third!.slice(0, 19))
})

/** Sorts by lag; gives the ms until the second frame after it. */
const SORT = `(async () => {
  const link = [...document.querySelectorAll('thead a')].find((each) => each.textContent.startsWith('records wait'))
  const before = performance.now()
  link.click()
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
  return performance.now() - before
})()`

test('512 partitions: sorting takes less than 100 ms, the culprit is at the top, and polling keeps the heap flat', async () => {
  const { url } = await serve({ partitions: 512 })
  const { page, faults } = await show(`${url}/ui#/partitions`)
  await page.locator('main tbody tr').nth(99).waitFor()
  expect(await page.locator('.held').textContent()).toContain('clicks/0')
  // An odd number of clicks, so that the most is at the top in the end; the machine may be busy with something else.
  const took: number[] = []
  for (let i = 0; i < 5; i++) took.push(await page.evaluate(SORT))
  expect(await page.locator('main tbody tr').first().textContent()).toContain('clicks/1')
  expect(Math.min(...took)).toBeLessThan(100)
  await page.getByRole('link', { name: 'all 512 rows' }).click()
  await page.locator('main tbody tr').nth(511).waitFor()
  const heap = async () => {
    const session = await page.context().newCDPSession(page)
    await session.send('HeapProfiler.collectGarbage')
    const { usedSize } = await session.send('Runtime.getHeapUsage')
    await session.detach()
    return usedSize
  }
  const before = await heap()
  await page.waitForTimeout(12_000)
  expect((await heap()) - before).toBeLessThan(1_000_000)
  expect(faults).toEqual([])
})

describe('the sentence', () => {
  const cause = (of: Partial<ApiAnswer<'state'>['diagnosis']>): Partial<ApiAnswer<'state'>> => ({
    diagnosis: {
      cause: 'clickhouse',
      subject: '',
      severity: 'critical',
      sentence: 'ClickHouse takes no rows.',
      remedy: 'Look at it.',
      since: new Date(Date.now() - 90_000).toISOString(),
      trend: 'worse',
      others: [],
      ...of,
    },
  })

  test('says what is the matter, since when, whether it gets worse, and what to do', async () => {
    const { url } = await serve({ state: cause({}) })
    const { page } = await show(`${url}/ui`)
    const sentence = page.locator('.sentence')
    await sentence.getByText('ClickHouse takes no rows.').waitFor()
    expect(await sentence.textContent()).toMatch(/for 1 min 3\d s\s+↗ getting worse/)
    expect(await sentence.textContent()).toContain('Look at it.')
    expect(await page.title()).toBe('✕ ctr ctr-test · Now')
    expect(await violations(page)).toEqual([])
  })

  test('is on every view', async () => {
    const { url } = await serve({ state: cause({ sentence: 'clicks/3 brings no records.' }) })
    const { page } = await show(`${url}/ui#/ledger`)
    await page.locator('.sentence').getByText('clicks/3 brings no records.').waitFor()
  })
})

test('an engine that goes away is told, and what was known stays, until it is back', async () => {
  const first = await serve()
  const { page } = await show(`${first.url}/ui`)
  await shown(page, 'It runs well')
  await first.close()
  await page.getByRole('alert').getByText('can’t be asked').waitFor()
  await shown(page, 'events/s')
  await serve({}, { port: Number(new URL(first.url).port) })
  await page.getByRole('alert').waitFor({ state: 'detached' })
})

test('a token is asked for, and never in an address', async () => {
  const { url } = await serve({}, { token: 'right-token' })
  const { page } = await show(`${url}/ui`)
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  await page.getByLabel('Token').fill('wrong-token')
  await page.getByRole('button', { name: 'Show me' }).click()
  await page.getByLabel('Token').fill('right-token')
  await page.getByRole('button', { name: 'Show me' }).click()
  await shown(page, 'It runs well')
  expect(asked.filter((each) => each.includes('token'))).toEqual([])
  await page.reload()
  await shown(page, 'It runs well')
})

test('the slider says what another lateness would have meant', async () => {
  const { url } = await serve()
  const { page } = await show(`${url}/ui#/lateness`)
  await shown(page, 'that is as it is now')
  await page.getByRole('slider').focus()
  for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight')
  // From 8 s, whose nearest stop is 7 s, to 20 s: of 10,000 records 10 came beyond 16 s.
  await page.locator('main').getByText('10 records, 0.10 %, would have been late; windows stay open 12.0 s longer').waitFor()
})

test('what is saved is opened again, on a page without its engine', async () => {
  const { url } = await serve()
  const { page } = await show(`${url}/ui`)
  await shown(page, 'It runs well')
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save as a file' }).click()])
  const path = await download.path()
  const other = await serve({ products: ['of another engine'], state: { group: 'other' } })
  const { page: reader, faults } = await show(`${other.url}/ui#/products`)
  await shown(reader, 'of another engine')
  await reader.locator('input[type=file]').setInputFiles(path)
  await shown(reader, 'recorded')
  expect(await reader.locator('h1').textContent()).toContain('ctr-test')
  for (const name of NAMES) {
    await reader.getByRole('link', { name, exact: true }).click()
    await reader.locator('main h2').first().waitFor()
    expect(await reader.locator('main').textContent()).not.toContain('The file has nothing')
  }
  await reader.getByRole('button', { name: 'Back to the engine' }).click()
  await reader.getByRole('link', { name: 'Products', exact: true }).click()
  await shown(reader, 'of another engine')
  await reader.locator('input[type=file]').setInputFiles({ name: 'a.json', mimeType: 'application/json', buffer: Buffer.from('{"a":1}') })
  await shown(reader, 'is no export of ctr')
  expect(faults).toEqual([])
})

/** What lit takes for a template, which it refuses while it draws. */
const TEMPLATE = { _$litType$: 1, strings: ['<b>'], values: [] }

test.each([
  ['an empty state', '', { state: {} }],
  ['a number for a state', '', { state: 7 }],
  ['a template for a name', '', { state: { ...sound, group: TEMPLATE } }],
  ['a product that is none', 'products', { state: sound, [PRODUCTS_PATH]: { products: [null] } }],
])('a file that can not be shown, with %s, is left, and the page goes on', async (_, view, answers) => {
  const { url } = await serve({ state: { group: 'alive' } })
  const { page } = await show(`${url}/ui#/${view}`)
  await shown(page, 'alive')
  const text = `{"format":"ctr-export","version":1,"at":"2026-01-01","answers":${JSON.stringify(answers)}}`
  await page.locator('input[type=file]').setInputFiles({ name: 'a.json', mimeType: 'application/json', buffer: Buffer.from(text) })
  await shown(page, 'This export can’t be shown')
  expect(await page.locator('h1').textContent()).toContain('alive')
  await page.getByRole('link', { name: 'Configuration', exact: true }).click()
  await page.locator('main table').first().waitFor()
})

test('a minute of the ledger that does not balance leads to its windows', async () => {
  const { url } = await serve()
  const { page } = await show(`${url}/ui#/ledger`)
  await shown(page, '1 minutes do not balance')
  await page.locator('tr.holds a').click()
  await shown(page, '598,000 events were counted into its windows, the results have 597,990.')
  await page.getByRole('region', { name: 'Windows that begin in this minute' }).waitFor()
})
