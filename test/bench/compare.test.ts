import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type BenchReport, readBenchReport } from '../../bench/bench-report.ts'
import { compareReports, renderComparison } from '../../bench/compare.ts'
import { withFigures } from '../../scripts/figures.ts'
import { place } from '../../workshop/report.ts'
import { temporaryFile } from '../support/config-file.ts'

const HERE = { ...place(), commit: 'abc1234', date: '2026-01-02T03:04:05.678Z' }
const LOSS = { loss: 0.15, by: 'min' } as const

function report(min: number, ctrCpu: readonly number[], peerCpu = 4): BenchReport {
  const stage = { unit: 'event', median: min * 2, high: min * 3, samples: 9, spread: [] } as const
  const run = (cpuSeconds: number) => ({ seconds: 2, wallSeconds: 3, cpuSeconds, peakRssBytes: 2 ** 28 })
  return {
    kind: 'bench',
    place: HERE,
    micro: [
      { ...stage, name: 'scan', min },
      { ...stage, name: 'ring', min: 7 },
    ],
    endToEnd: {
      events: 2_000_000,
      workers: 1,
      rows: 4000,
      results: [
        { name: 'ctr', what: 'the engine', runs: ctrCpu.map(run) },
        { name: 'flink', what: 'Flink', runs: [run(peerCpu)] },
      ],
      notRun: [{ name: 'librdkafka', what: 'C', reason: 'no compiler' }],
    },
  }
}

test('what takes longer by more than the loss fails, at the loss it does not', () => {
  const failed = (now: number) =>
    compareReports(report(now, [1]), report(100, [1]), LOSS)
      .compared.filter((one) => one.failed)
      .map(({ name }) => name)
  expect(failed(114.9)).toEqual([])
  expect(failed(115.1)).toEqual(['scan'])
  expect(failed(50)).toEqual([])
})

test('end to end it is the least CPU time per event that counts, or the median when that is asked for', () => {
  const ratio = (by: 'min' | 'median') =>
    compareReports(report(100, [2, 9, 8]), report(100, [1, 2, 3]), { loss: 0.15, by }).compared.find(
      ({ name }) => name === 'end to end: ctr',
    )
  expect(ratio('min')).toMatchObject({ unit: 'CPU s/M', before: 0.5, now: 1, ratio: 2, failed: true })
  expect(ratio('median')).toMatchObject({ before: 1, now: 4, ratio: 4 })
})

test('a peer that got slower fails nothing', () => {
  const { compared } = compareReports(report(100, [1], 40), report(100, [1], 4), LOSS)
  expect(compared.find(({ name }) => name === 'end to end: flink')).toMatchObject({ ratio: 10, failed: false })
})

test('what is in one report only is named, unless the whole kind was left out', () => {
  const now = report(100, [1])
  const without = { ...now, micro: now.micro?.slice(1) }
  expect(compareReports(without, now, LOSS).missing).toEqual(['scan (only before)'])
  expect(compareReports(now, without, LOSS).missing).toEqual(['scan (only now)'])
  expect(compareReports({ ...now, endToEnd: undefined }, now, LOSS).missing).toEqual([])
})

test('what makes two runs hard to compare is said', () => {
  const before = report(100, [1])
  const other = { ...before, place: { ...HERE, cores: HERE.cores + 1 } }
  const comparison = compareReports(other, before, LOSS)
  expect(comparison.caveats).toEqual([`another number of cores: ${HERE.cores} before, ${HERE.cores + 1} now`])
  const text = renderComparison(comparison, 0.15, before)
  expect(text).toContain('commit abc1234')
  expect(text.split('\n').at(-1)).toBe('nothing is worse')
  expect(renderComparison(compareReports(report(200, [1]), before, LOSS), 0.15, before)).toMatch(/scan .* 2\.00 {2}WORSE[\s\S]*1 worse$/)
})

test('a report is read as it was written, anything else is refused by name', () => {
  const file = temporaryFile(JSON.stringify(report(100, [1])))
  expect(readBenchReport(file)).toEqual(report(100, [1]))
  writeFileSync(file, '{"place":{}}')
  expect(() => readBenchReport(file)).toThrow(`${file} is not a report of npm run bench`)
  writeFileSync(file, '{')
  expect(() => readBenchReport(file)).toThrow(`${file} can't be read`)
})

test('the figures go between their marks, and nowhere else', () => {
  const text = 'a\n<!-- figures:bench -->\nold\n<!-- /figures:bench -->\nb'
  const written = withFigures(text, report(100, [1, 2, 3]))
  expect(written).toMatch(/^a\n<!-- figures:bench -->\n2,000,000 events[\s\S]*<!-- \/figures:bench -->\nb$/)
  expect(written).toContain('| the engine | 1.00 M | 1.00 | 256 | 1.00 × | 1.00 × |')
  expect(written).toContain('| Flink | 1.00 M | 2.00 | 256 | 1.00 × | 2.00 × |')
  expect(written).toContain('Not run: librdkafka: no compiler')
  expect(written).not.toContain('old')
  expect(withFigures(written, report(100, [1, 2, 3]))).toBe(written)
  expect(() => withFigures('nothing', report(1, [1]))).toThrow('README.md has no <!-- figures:bench -->')
  expect(() => withFigures(text, { ...report(1, [1]), endToEnd: undefined })).toThrow('without --micro')
})
