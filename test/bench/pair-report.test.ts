import { expect, test } from 'vitest'
import { checkDigest, checkSummary, describeRevision, measurePairs, type Pair, renderPairs, verdict } from '../../bench/pair-report.ts'
import { renderSummary } from '../../src/cli/summary.ts'
import { someStats } from '../../workshop/stats.ts'

const EVENTS = 2_000_000

function pair(i: number, baseCpu: number, headCpu: number): Pair {
  const run = (cpuSeconds: number, seconds: number, mebibytes: number) => {
    return { seconds, wallSeconds: seconds + 1, cpuSeconds, busyCpuSeconds: cpuSeconds / 2, peakRssBytes: mebibytes * 2 ** 20 }
  }
  return { first: i % 2 === 0 ? 'base' : 'head', base: run(baseCpu, 2, 300), head: run(headCpu, 1, 400) }
}

test('CPU and memory are better when less, the rate when more', () => {
  const [cpu, reading, rate, peak] = measurePairs([pair(0, 1, 2), pair(1, 3, 2)], EVENTS)
  expect(cpu).toMatchObject({ name: 'CPU s/M', base: 1, head: 1, ratios: [0.5, 1.5], ratio: 1 })
  expect(reading).toMatchObject({ name: 'reading', base: 0.5, head: 0.5, ratios: [0.5, 1.5] })
  expect(rate).toMatchObject({ name: 'events/s', base: 1_000_000, head: 2_000_000, ratios: [2, 2] })
  expect(peak).toMatchObject({ name: 'peak MiB', base: 300, head: 400, ratios: [0.75, 0.75] })
})

test('the lower bound of the CPU decides, and passes at the bound', () => {
  const cpus = [1, 0.98, 1.05, 0.97, 1.02, 1.01]
  const measures = measurePairs(
    cpus.map((ratio, i) => pair(i, ratio, 1)),
    EVENTS,
  )
  expect(measures[0]?.interval).toMatchObject({ low: 0.97, high: 1.05 })
  expect(verdict(measures, 0.96).passed).toBe(true)
  expect(verdict(measures, 0.97)).toEqual({
    passed: true,
    text: "passed: lower bound of the CPU's ratio 0.970, at least 0.97 is asked for",
  })
  expect(verdict(measures, 0.971).text).toMatch(/^FAILED: .* 0\.970, at least 0\.971/)
  expect(verdict(measurePairs([pair(0, 9, 1)], EVENTS), 0.97).passed).toBe(false)
})

test('the report names sides, ranks and every pair', () => {
  const pairs = Array.from({ length: 15 }, (_, i) => pair(i, 2 + i / 100, 2))
  const text = renderPairs({
    base: { name: 'main', commit: 'a'.repeat(40), changed: 0, node: 'v24.1.0' },
    head: { name: '', commit: 'b'.repeat(40), changed: 3, node: 'v24.2.0' },
    backlog: { events: EVENTS, products: 1000, partitions: 4, codec: 'none' },
    workers: 1,
    digest: { rows: 2000, impressionsSum: 1_900_000, clicksSum: 100_000, hash: 'FF' },
    pairs,
    measures: measurePairs(pairs, EVENTS),
  })
  expect(text).toContain('base: main (aaaaaaaaa), Node v24.1.0')
  expect(text).toContain('head: the working tree on bbbbbbbbb, 3 changed or new file(s), Node v24.2.0')
  expect(text).toMatch(/^CPU s\/M +1\.03 +1\.00 +1\.035 +1\.015 to 1\.055$/m)
  expect(text).toMatch(/^events\/s +1,000,000 +2,000,000 +2\.000 +2\.000 to 2\.000$/m)
  expect(text).toMatch(/^2, head first +1\.005 +1\.005 +2\.000 +0\.750$/m)
  expect(text).toContain('rank 4 from below and from above hold the median with 96.48 % (sign test)')
  expect(text).toContain('the same 2,000 rows (hash FF)')
})

test('too few pairs give figures and no interval', () => {
  const pairs = [pair(0, 1, 1)]
  const side = { name: '', commit: 'b'.repeat(40), changed: 0, node: 'v24.2.0' }
  const backlog = { events: EVENTS, products: 1, partitions: 4, codec: 'none' }
  const digest = { rows: 1, impressionsSum: 1, clicksSum: 1, hash: '0' }
  const text = renderPairs({ base: side, head: side, backlog, workers: 1, digest, pairs, measures: measurePairs(pairs, EVENTS) })
  expect(text).toMatch(/^CPU s\/M +0\.500 +0\.500 +1\.000 +-$/m)
  expect(text).toContain('none from so few pairs; 6 are the fewest')
})

test('a revision is named as it was asked for, and by its commit', () => {
  const commit = '0123456789abcdef'
  expect(describeRevision({ name: 'v1', commit, changed: 0 })).toBe('v1 (012345678)')
  expect(describeRevision({ name: '0123456', commit, changed: 0 })).toBe('012345678')
  expect(describeRevision({ name: '', commit, changed: 0 })).toBe('the working tree on 012345678')
})

test('a summary must account for every event', () => {
  const stats = someStats({
    impressions: 1_900_000,
    clicks: 99_998,
    terms: { counted: 1_999_998, late: 1, invalid: 1, ignored: 0 },
    invalid: [{ reason: 'not_json', count: 1 }],
  })
  const summary = renderSummary(stats, { elapsedMs: 1000, colours: false }).join('\n')
  expect(() => checkSummary('base', summary, EVENTS)).not.toThrow()
  expect(() => checkSummary('base', summary, EVENTS + 1)).toThrow('base: 1999998 counted + 1 late + 1 invalid are not the 2000001 events')
  expect(() => checkSummary('head', 'nothing', EVENTS)).toThrow('head: NaN counted')
})

test('rows must be the same on both sides, and what differs is named', () => {
  const digest = { rows: 5, impressionsSum: 10, clicksSum: 2, hash: 'AB' }
  expect(() => checkDigest('head', { ...digest }, digest)).not.toThrow()
  expect(() => checkDigest('head', { ...digest, clicksSum: 3, hash: 'AC' }, digest)).toThrow(
    'head: other rows than those of the first run: clicksSum 3, not 2; hash AC, not AB',
  )
})
