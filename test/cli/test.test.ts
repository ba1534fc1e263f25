/** Cases through the engine itself, in this process. */
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { TestCasesOptions } from '../../src/cli/options.ts'
import { testVerb } from '../../src/cli/test.ts'
import { temporaryFile } from '../support/config-file.ts'

const EXAMPLE = fileURLToPath(new URL('../../examples/cases.yaml', import.meta.url))

async function run(files: readonly string[], options: Partial<TestCasesOptions> = {}): Promise<{ code: number; out: string }> {
  let out = ''
  const code = await testVerb(files, { set: [], ...options }, (text) => {
    out += text
  })
  return { code, out }
}

const click = (product: string, time: string) => `{product_id: ${product}, event_type: click, timestamp: "${time}"}`

describe('ctr test', () => {
  test('the example holds, and does not when the configuration is another one', async () => {
    const { code, out } = await run([EXAMPLE])
    expect([code, out.split('\n').at(-2)]).toEqual([0, '3 passed, 0 failed'])
    const other = await run([EXAMPLE], { set: ['window.size=1m'], json: true })
    expect(other.code).toBe(1)
    const { passed, cases } = JSON.parse(other.out) as { passed: number; cases: { problems: string[]; place: string }[] }
    expect(passed).toBe(1)
    expect(cases[0]?.problems).toContain('row of kettle from 2026-01-01T00:00:10.000Z: 0 impressions and 1 clicks expected, no row found')
    expect(cases[0]?.place).toMatch(/examples\/cases\.yaml:5$/)
  })

  test('cases know nothing of each other, whatever their order and partitions', async () => {
    const oneOf = (name: string, time: string, partition: number) => {
      const rows = `[{product: p, window: "${time}", clicks: 1}]`
      return `{name: ${name}, events: [{partition: ${partition}, value: ${click('p', time)}, is: counted}], rows: ${rows}}`
    }
    const [later, earlier] = [oneOf('later', '2026-01-01T12:00:00Z', 0), oneOf('earlier', '2026-01-01T00:00:00Z', 999)]
    for (const order of [
      [later, earlier],
      [earlier, later, later],
    ]) {
      const { code, out } = await run([temporaryFile(`cases: [${order.join()}]`, 'cases.yaml')])
      expect([code, out]).toEqual([0, expect.stringContaining(`${order.length} passed`)])
    }
  })

  test('formats and rules are those of the configuration', async () => {
    const config = temporaryFile(
      'kafka: {topics: [{name: taps, events: {fields: {product: sku}, types: {click: tap}}}]}\ntime: {futureTolerance: 1s}\n',
      'ctr.yaml',
    )
    const cases = `cases:
- name: its own names and types
  events:
    - {value: {sku: a, event_type: tap, timestamp: 1767225600}, is: counted}
    - {value: {product_id: a, event_type: tap, timestamp: 1767225600}, is: PRODUCT}
    - {value: null, is: ignored}
    - {base64: /w==, is: NOT_UTF8}
- name: the time of the record bounds that of the event
  events:
    - {time: 2026-01-01T00:00:00Z, value: {sku: a, event_type: tap, timestamp: "2026-01-01T00:00:01Z"}, is: counted}
    - {time: 2026-01-01T00:00:00Z, value: {sku: a, event_type: tap, timestamp: "2026-01-01T00:00:01.001Z"}, is: FUTURE}
`
    const { code, out } = await run([temporaryFile(cases, 'cases.yaml')], { config })
    expect([code, out]).toEqual([0, expect.stringContaining('2 passed')])
  })

  test('only some are run by their name, and none is a mistake', async () => {
    expect((await run([EXAMPLE], { only: 'late' })).out).toContain('1 passed')
    await expect(run([EXAMPLE], { only: 'none' })).rejects.toThrow('--only none: none of the 3 cases has that in its name')
  })

  test('a topic that the configuration does not read is refused, with the case', async () => {
    const file = temporaryFile('cases: [{name: a, late: 0, events: [{topic: elsewhere, value: x}]}]', 'cases.yaml')
    await expect(run([file])).rejects.toThrow(/cases\.yaml:1: a: topic elsewhere is none of kafka\.topics, which are impressions, clicks/)
  })

  test('far apart times wait for nothing', async () => {
    const events = Array.from(
      { length: 50 },
      (_, i) => `{partition: ${i % 2}, value: ${click('p', `20${10 + i}-01-01T00:00:00Z`)}, is: counted}`,
    )
    const file = temporaryFile(`cases: [{name: years, counted: 50, events: [${events.join()}]}]`, 'cases.yaml')
    const { code, out } = await run([file])
    expect([code, out]).toEqual([0, expect.stringContaining('1 passed')])
  }, 20_000)
})
