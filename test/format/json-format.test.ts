import { expect, test } from 'vitest'
import { BATCH_HEADER_BYTES, locateRecord, RecordPlace } from '../../src/batch/record-batch.ts'
import { RecordBatchWriter } from '../../src/batch/record-batch-writer.ts'
import { JsonFormat } from '../../src/format/json-format.ts'
import { ParsedEvents, ROW_RECORD, ROW_WORDS } from '../../src/format/parsed-events.ts'
import { REASON } from '../../src/format/reasons.ts'
import { EventSlot } from '../../src/format/slot.ts'
import { Random } from '../../src/load/random.ts'
import { nameOf, PARSERS } from '../../workshop/compare-parsers.ts'
import { PLAIN_RULES } from '../../workshop/plain-rules.ts'

const VALUES = [
  '{"product_id":"p","user_id":"u","event_type":"click","timestamp":1700000000000}',
  '{"product_id":"p","user_id":"u","event_type":"cart","timestamp":1700000000000}',
  '{"product_id":"p","event_type":"click","timestamp":1700000000000}',
  '{"product_id":"p","user_id":"u","event_type":"click","timestamp":null}',
  '{"product_id":"\\u0070","user_id":"u","event_type":"click","timestamp":1700000000000}',
  '{"timestamp":1700000000000,"product_id":"p","user_id":"u","event_type":"view"}',
  '{"product_id":"p","user_id":"u","event_type":"cart","timestamp":17000000',
  '[]',
  '{"product_id":7,"event_type":"View","timestamp":1700000000}',
  '{"product_id":null,"event_type":"cart","timestamp":1700000000000}',
  '{"product_id":"p","user_id":"u","event_type":"cart","timestamp":NaN}',
  '[{"product_id":"p","user_id":"u","event_type":"click","timestamp":1700000000000}]',
  '[{"product_id":"quite","user_id":"another","event_type":"one","timestamp":1} ]',
  '[{"product_id":"p","user_id":"u","event_type":"click","timestamp":1},{}]',
  '[{"product_id":"p"]',
  '{"product_id":"\xff","user_id":"u","event_type":"click","timestamp":1700000000000}',
  '{"product_id":"\xffq","user_id":"u","event_type":"view","timestamp":null}',
  '{"product_id":"p","user_id":"u","event_type":"\xff","timestamp":1700000000000}',
  '{"product_id":"p","user_id":"\xff","event_type":"click","timestamp":1700000000000}',
  '{"product_id":"\xff","user_id":"u","event_type":"click","timestamp":17000',
  '{"product_id":"p","user_id":"u","event_type":"click","timestamp":0}',
  '{"product_id":"p","user_id":"u","event_type":"click","timestamp":-5}',
  '{"product_id":"p","user_id":"u","event_type":"click","timestamp":170000000000000000}',
  '{"product_id":"p","user_id":"u","event_type":"click","timestamp":1700000000000}}',
  '',
]

/** A verdict, and the time where that is told. */
function said(verdict: number, { time }: EventSlot): { verdict: string; time?: number } {
  const isTimed = verdict === REASON.VALID || verdict === REASON.TIME_RANGE
  return isTimed ? { verdict: nameOf(verdict), time: time[0]! } : { verdict: nameOf(verdict) }
}

/** What `parse` has found of each record, from the one at `recordAt` on. */
function foundBy({ rows, times, count, ignored, next, refusals }: ParsedEvents, recordAt: number, records: Uint8Array) {
  const place = new RecordPlace()
  const found: { verdict: string; time?: number }[] = []
  let at = recordAt
  let [event, left, refused] = [0, 0, 0]
  while (at < next) {
    const ignoredBefore = refused < refusals.count ? refusals.ignoredBefore[refused]! : Number.POSITIVE_INFINITY
    const isRefused = refused < refusals.count && refusals.eventsBefore[refused] === event && ignoredBefore === left
    if (isRefused) {
      expect(refusals.records[refused]).toBe(at)
      const verdict = nameOf(refusals.reasons[refused]!)
      found.push(verdict === 'TIME_RANGE' ? { verdict, time: refusals.times[refused]! } : { verdict })
      refused++
    } else if (event < count && rows[event * ROW_WORDS + ROW_RECORD] === at) found.push({ verdict: 'VALID', time: times[event++]! })
    else {
      found.push({ verdict: 'IGNORED' })
      left++
    }
    expect(locateRecord(records, at, records.length, place)).toBe(true)
    at = place.next
  }
  expect([event, left, refused]).toEqual([count, ignored, refusals.count])
  return found
}

test('whatever came before, each record has the reason that the exact parser gives, whoever finds it', () => {
  const random = new Random(1)
  const format = new JsonFormat(PLAIN_RULES)
  const parsed = new ParsedEvents()
  const [slot, place] = [new EventSlot(), new RecordPlace()]
  // Batches in the same memory, as they come from the pool of frames.
  const writer = new RecordBatchWriter(1 << 16)
  for (let batch = 0; batch < 50; batch++) {
    writer.begin(0)
    const values = Array.from({ length: 40 }, () => Buffer.from(VALUES[random.below(VALUES.length)]!, 'latin1'))
    for (const value of values) writer.append(0, null, value)
    const recordsEnd = writer.finish()
    const records = writer.bytes
    const view = new DataView(records.buffer, records.byteOffset, records.length)
    const found: { verdict: string; time?: number }[] = []
    for (let recordAt = BATCH_HEADER_BYTES; recordAt < recordsEnd; ) {
      const limit = Math.min(values.length - found.length, 1 + random.below(40))
      const sure = format.parse({ records, view, recordAt, recordsEnd }, parsed, limit)
      const parts = foundBy(parsed, recordAt, records)
      expect(parts.length).toBeLessThanOrEqual(limit)
      if (sure) expect(parts).toHaveLength(limit)
      found.push(...parts)
      recordAt = parsed.next
      if (sure) continue
      expect(locateRecord(records, recordAt, recordsEnd, place)).toBe(true)
      found.push(said(format.exact(records, place.value, place.valueEnd, slot), slot))
      recordAt = place.next
    }
    const wanted = values.map((value) => said(PARSERS.exact(value, 0, value.length, slot), slot))
    expect(found).toEqual(wanted)
  }
})
