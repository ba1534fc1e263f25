import { expect, test } from 'vitest'
import { kindsOf, type MeasuredKind, renderKinds } from '../../bench/format-kinds.ts'

const run = (seconds: number, busyCpuSeconds: number) => ({ seconds, busyCpuSeconds, wallSeconds: 9, cpuSeconds: 9, peakRssBytes: 2 ** 20 })
const kind = (name: string, valueBytes: number, ...runs: MeasuredKind['runs']): MeasuredKind => ({ name, what: name, valueBytes, runs })

test('a kind is measured beside JSON, and a peer beside whose topics it reads', () => {
  expect(kindsOf('protobuf').map(({ name }) => name)).toEqual(['json', 'protobuf'])
  expect(kindsOf('kafkajs-avro').map(({ name }) => name)).toEqual(['json', 'avro', 'kafkajs-avro'])
  expect(kindsOf('').length).toBeGreaterThan(8)
  expect(() => kindsOf('json,cobol')).toThrow('--only cobol: not one of json, ')
})

test('ratios are of runs of the same round, in events or in bytes, and say whether they are as promised', () => {
  const text = renderKinds(
    [
      kind('json', 100, run(2, 1), run(4, 1), run(6, 1)),
      kind('avro', 50, run(2, 0.5), run(2, 0.5), run(2, 0.5)),
      kind('path', 150, run(4, 2), run(8, 2), run(12, 2)),
      kind('zoned', 159, run(4, 2), run(8, 2), run(12, 2)),
    ],
    1_000_000,
  )
  expect(text).toMatch(/^avro +50 +500,000 +25 +0\.500 +1 +2\.00 \(1\.00 to 3\.00\) +1\.00 \(0\.500 to 1\.50\) +2\.00 \(2\.00 to 2\.00\)$/m)
  expect(text).toContain('met      avro: 2.00 x the events/s of json, wanted >= 1')
  expect(text).toContain('not met  path: 0.750 x the bytes/s of json, wanted >= 0.8')
  expect(text).toContain('not met  zoned: 0.795 x the bytes/s of json, wanted >= 0.8')
})
