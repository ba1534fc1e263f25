import { describe, expect, test } from 'vitest'
import { readCases } from '../../src/trial/cases.ts'
import { problemsOf } from '../../src/trial/judge.ts'
import { temporaryFile } from '../support/config-file.ts'

const EVENT = '{value: {product_id: p}}'
const read = (text: string) => readCases(temporaryFile(text, 'cases.yaml'))
const one = (more: string, events = `[${EVENT}, ${EVENT}, ${EVENT}]`) => {
  const [first] = read(`cases:\n- name: a\n  events: ${events}\n${more.replaceAll(/^/gm, '  ')}\n`)
  if (first === undefined) throw new Error('no case')
  return first
}
const T0 = Date.UTC(2026, 0, 1)
const row = (product: string, start: number, impressions: number, clicks: number) => ({
  product,
  start,
  end: start + 10_000,
  impressions,
  clicks,
})

describe('what a case expects', () => {
  const fates = ['counted', 'late', 'TIME']

  test.each([
    ['counted: 1\nlate: 1\nignored: 0\ninvalid: 1', []],
    ['invalid: {TIME: 1}', []],
    ['counted: 2', ['counted: 2 expected, 1 found']],
    ['late: 0', ['late: 0 expected, 1 found']],
    ['ignored: 1', ['ignored: 1 expected, 0 found']],
    ['invalid: 3', ['invalid: 3 expected, 1 found']],
    ['invalid: {TYPE: 1}', ['invalid by TYPE: 1 expected, 0 found', 'invalid by TIME: 0 expected, 1 found']],
  ])('%s', (more, problems) => {
    expect(problemsOf(one(more), { fates, rows: [] })).toEqual(problems)
  })

  test('of an event is its term or its reason', () => {
    const events = (is: readonly string[]) => `[${is.map((fate) => `{value: x, is: ${fate}}`).join()}]`
    expect(problemsOf(one('', events(['counted', 'late', 'TIME'])), { fates, rows: [] })).toEqual([])
    expect(problemsOf(one('', events(['counted', 'late', 'invalid'])), { fates, rows: [] })).toEqual([])
    expect(problemsOf(one('', events(['late', 'invalid', 'TYPE'])), { fates, rows: [] })).toEqual([
      'events[0]: late expected, counted found',
      'events[1]: invalid expected, late found',
      'events[2]: TYPE expected, TIME found',
    ])
  })

  test('of rows is all of them', () => {
    const wanted = one(
      'rows:\n- {product: p, window: "2026-01-01T00:00:00Z", impressions: 1}\n- {product: q, window: "2026-01-01T00:00:10", clicks: 2}',
    )
    const rows = [row('p', T0, 1, 0), row('q', T0 + 10_000, 0, 2)]
    expect(problemsOf(wanted, { fates, rows })).toEqual([])
    expect(problemsOf(wanted, { fates, rows: [row('p', T0, 1, 1), row('r', T0, 1, 0)] })).toEqual([
      'row of p from 2026-01-01T00:00:00.000Z: 1 impressions and 0 clicks expected, 1 impressions and 1 clicks found',
      'row of q from 2026-01-01T00:00:10.000Z: 0 impressions and 2 clicks expected, no row found',
      'row of r from 2026-01-01T00:00:00.000Z to 2026-01-01T00:00:10.000Z: not expected, 1 impressions and 0 clicks found',
    ])
    expect(problemsOf(one('rows: []'), { fates, rows: [] })).toEqual([])
    expect(problemsOf(one('late: 1'), { fates, rows })).toEqual([])
  })
})

describe('a file that is none of cases is refused, with its line', () => {
  test.each([
    ['cases: []', /cases\.yaml:1: cases: /],
    ['case: []', /the file: /],
    [`cases:\n- name: a\n  events: [${EVENT}]`, /cases\.yaml:2: cases\[0\]: expects nothing/],
    [`cases:\n- name: a\n  events: [{value: x, is: LATE}]`, /cases\.yaml:3: cases\[0\]\.events\[0\]\.is: /],
    [`cases:\n- name: a\n  late: 0\n  events: [{value: x, base64: eA==}]`, /events\[0\]: give one of value and base64/],
    [`cases:\n- name: a\n  late: 0\n  events: [{topic: x}]`, /events\[0\]: give one of value and base64/],
    [`cases:\n- name: a\n  late: 0\n  events: [{value: x, tpoic: x}]`, /events\[0\]: .*tpoic/],
    [`cases:\n- name: a\n  late: -1\n  events: [${EVENT}]`, /cases\[0\]\.late: /],
    [`cases:\n- name: a\n  late: 0\n  events: [{value: x, partition: 1000}]`, /partition: /],
    [`cases:\n- name: a\n  rows: [{product: p, window: today}]\n  events: [${EVENT}]`, /rows\[0\]\.window: /],
    ['cases: [', /is no YAML/],
  ])('%j', (text, message) => {
    expect(() => read(text)).toThrow(message)
  })

  test('and so is one that is not there', () => {
    expect(() => readCases('nowhere.yaml')).toThrow(/^nowhere\.yaml: it can not be read/)
  })
})
