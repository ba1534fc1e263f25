/**
 * The mapping that the probe proposes, held against what the records are by plain readings: run through the engine's own format, it must
 * count what can be counted, in one go.
 */
import { describe, expect, test } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { infer } from '../../src/probe/infer.ts'
import { RecordJudge } from '../../src/probe/judge.ts'
import type { SampledRecord } from '../../src/probe/sampled-record.ts'
import { PRODUCER_SHAPES } from './producer-shapes.ts'
import { type ShapedRecord, UNSEEN_SHAPES } from './unseen-shapes.ts'

function sampled(topic: string, records: readonly ShapedRecord[]): SampledRecord[] {
  return records.map(({ text, events, timestamp }, offset) => {
    const time = timestamp ?? events[0]?.time ?? -1
    return { topic, partition: 0, offset, timestamp: time, key: null, headers: [], value: Buffer.from(text) }
  })
}

const WINDOW_MS = 10_000

/** How many events there are of each product, kind and window. */
function counted(events: readonly { readonly product: string; readonly click: boolean; readonly time: number }[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { product, click, time } of events) {
    const key = `${product} ${click} ${Math.floor(time / WINDOW_MS)}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

/** The share of the wanted events that are counted as they should be; what is counted beside them takes away from it. */
function shareRight(found: Map<string, number>, wanted: Map<string, number>): number {
  let right = 0
  let total = 0
  for (const [key, count] of wanted) {
    total += count
    right += Math.min(count, found.get(key) ?? 0)
  }
  for (const [key, count] of found) right -= Math.max(0, count - (wanted.get(key) ?? 0))
  return right / total
}

const SHAPES = { ...PRODUCER_SHAPES, ...UNSEEN_SHAPES }

describe.each(Object.entries(SHAPES))('%s', (topic, records) => {
  test('what is proposed counts what can be counted', () => {
    const sample = sampled(topic, records)
    const { mapping } = infer(topic, sample)
    const config = configSchema.parse({ kafka: { topics: [{ name: topic, events: mapping }] } })
    const judge = new RecordJudge(config)
    const verdicts = sample.map((record) => judge.judge(record))
    const found = counted(verdicts.flatMap(({ events }) => events.filter(({ kind }) => kind !== 'invalid')))
    expect([shareRight(found, counted(records.flatMap(({ events }) => events))), mapping]).toEqual([1, mapping])
    expect(verdicts.filter(({ kind }) => kind === 'invalid')).toEqual([])
  })

  test('a tenth of the records is enough to see it', () => {
    const whole = infer(topic, sampled(topic, records)).mapping
    const part = infer(topic, sampled(topic, records).slice(-Math.max(40, records.length / 10))).mapping
    expect(part.fields?.product?.toSorted()).toEqual(whole.fields?.product?.toSorted())
    expect(part.fields?.time).toEqual(whole.fields?.time)
  })
})
