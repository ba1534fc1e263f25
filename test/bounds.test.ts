/** What a producer, a server or another member can make large, each at its bound and one beyond it. */
import { createRequire } from 'node:module'
import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { BatchHeader } from '../src/batch/record-batch.ts'
import { HEADERS_LEFT_OUT, readEnvelope } from '../src/batch/record-envelope.ts'
import { LIMITS } from '../src/config/limits.ts'
import { loadConfig } from '../src/config/load.ts'
import { CtrError } from '../src/errors.ts'
import { JsonFormat } from '../src/format/json-format.ts'
import { ParsedEvents } from '../src/format/parsed-events.ts'
import { REASON } from '../src/format/reasons.ts'
import { EventSlot } from '../src/format/slot.ts'
import { FramePool } from '../src/kafka/frame-pool.ts'
import { decodeFacts, encodeSubscription } from '../src/kafka/member-facts.ts'
import { createLogger } from '../src/log.ts'
import { eventsMaxOf, eventsWordsMax } from '../src/ring/blocks.ts'
import { createRing } from '../src/ring/layout.ts'
import { RingWriter } from '../src/ring/ring-writer.ts'
import { Batch } from '../src/sink/batch.ts'
import { clip } from '../src/text.ts'
import { PARSERS } from '../workshop/compare-parsers.ts'
import { recordReaders } from '../workshop/compare-records.ts'
import { encodeBatch } from '../workshop/memory-run.ts'
import { PLAIN_RULES } from '../workshop/plain-rules.ts'
import { shapeOf } from './support/shape-of.ts'

const NOW = 1_700_000_000_000

/** An event of so many bytes, by what is in one of its values. */
function eventOf(bytes: number): Buffer {
  const [before, after] = ['{"note":"', `","user_id":"u","product_id":"p","event_type":"click","timestamp":${NOW}}`]
  return Buffer.from(before + 'x'.repeat(bytes - before.length - after.length) + after)
}

describe('an event', () => {
  const most = LIMITS.eventMaxBytes

  test.each([
    [most - 1, true],
    [most, true],
    [most + 1, false],
  ])('of %i bytes is valid: %s, whichever parser reads it', (bytes, valid) => {
    const value = eventOf(bytes)
    const slot = new EventSlot()
    const verdict = valid ? REASON.VALID : REASON.TOO_LARGE
    expect(PARSERS.exact(value, 0, value.length, slot)).toBe(verdict)
    expect(PARSERS.read(value, 0, value.length, slot)).toBe(verdict)
    // The shape of a small one of its kind.
    const format = new JsonFormat(PLAIN_RULES)
    const at = { topic: 'a', partition: 0, offset: 0, recordTimestamp: NOW }
    const bytesOf = (...values: Buffer[]) => {
      const batch = encodeBatch(values.map((one, offset) => ({ ...at, offset, value: one })))
      return new Uint8Array(batch).slice(61)
    }
    const records = bytesOf(eventOf(100), eventOf(101), value)
    const parsed = new ParsedEvents()
    format.parse({ records, view: new DataView(records.buffer), recordAt: 0, recordsEnd: records.length }, parsed, 3)
    expect(parsed.count).toBe(valid ? 3 : 2)
  })
})

describe('a shape', () => {
  const shapeWith = (literals: number) => {
    const rest = `":1,"user_id":"u","product_id":"p","event_type":"click","timestamp":${NOW}}`
    const others = '{"'.length + rest.length - '1'.length - 'u'.length - 'p'.length - 'click'.length - String(NOW).length
    const value = Buffer.from(`{"${'k'.repeat(literals - others)}${rest}`)
    return shapeOf(value)
  }

  test('is learned with as much between its values as may be compiled, and not with a byte more', () => {
    expect(shapeWith(LIMITS.shapeLiteralsMaxBytes)).toBeTypeOf('function')
    expect(shapeWith(LIMITS.shapeLiteralsMaxBytes + 1)).toBeUndefined()
  })

  test('and white space behind the last value counts', () => {
    const value = (spaces: number) =>
      Buffer.from(`{"user_id":"u","product_id":"p","event_type":"click","timestamp":${NOW}${' '.repeat(spaces)}}`)
    expect(shapeOf(value(100))).toBeTypeOf('function')
    const long = value(LIMITS.shapeLiteralsMaxBytes)
    expect(shapeOf(long)).toBeUndefined()
  })

  test('is not looked for in a key of a megabyte for long', () => {
    const value = Buffer.from(`{"${'k'.repeat(1_000_000)}":1,"user_id":"u","product_id":"p","event_type":"click","timestamp":${NOW}}`)
    const begun = performance.now()
    expect(shapeOf(value)).toBeUndefined()
    expect(performance.now() - begun).toBeLessThan(100)
  })
})

test('of the headers of a record as many are kept as may be, and the rest is counted in one of its own', () => {
  const encode = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/record/v0') as (given: object) => { buffer: Buffer }
  const headersOf = (count: number) => {
    const headers = Object.fromEntries(Array.from({ length: count }, (_, i) => [`h${i}`, Buffer.from('v')]))
    const { buffer } = encode({ key: null, value: Buffer.from('x'), headers })
    return readEnvelope(buffer, 0, new BatchHeader()).headers
  }
  expect(headersOf(LIMITS.headersMax)).toHaveLength(LIMITS.headersMax)
  expect(headersOf(LIMITS.headersMax).at(-1)?.[0]).toBe(`h${LIMITS.headersMax - 1}`)
  const [name, value] = headersOf(LIMITS.headersMax + 7).at(-1) ?? []
  expect([name, Buffer.from(value ?? []).toString()]).toEqual([HEADERS_LEFT_OUT, '7'])
})

test('what a member says of itself is read up to the bound, and not beyond it', () => {
  const facts = { tasks: [1], generation: 1, host: '', pid: 1 }
  const overhead = encodeSubscription(['a'], facts).length
  const said = (bytes: number) => encodeSubscription(['a'], { ...facts, host: 'h'.repeat(bytes - overhead) })
  expect(said(LIMITS.memberFactsMaxBytes)).toHaveLength(LIMITS.memberFactsMaxBytes)
  expect(decodeFacts(said(LIMITS.memberFactsMaxBytes))?.tasks).toEqual([1])
  expect(decodeFacts(said(LIMITS.memberFactsMaxBytes + 1))).toBeUndefined()
})

test('a frame is kept for the next response up to the bound, and not a larger one', () => {
  const pool = new FramePool()
  const kept = (size: number) => {
    const frame = pool.take(size)
    frame?.release()
    const next = pool.take(size)
    next?.release()
    return next === frame
  }
  expect(kept(LIMITS.frameKeptMaxBytes)).toBe(true)
  expect(kept(LIMITS.frameKeptMaxBytes + 1)).toBe(false)
})

test('an insert takes rows up to the bytes of the bound, whatever their number', () => {
  const batch = new Batch(1_000_000)
  const add = (size: number) =>
    batch.add({ bytes: new Uint8Array(size), start: 0, end: size, count: 1, task: 0, windowEnd: NOW, first: false }, NOW)
  add(LIMITS.batchRowsMaxBytes - 1)
  expect([batch.isFull, batch.refuses(NOW)]).toEqual([false, false])
  add(1)
  expect([batch.isFull, batch.refuses(NOW)]).toEqual([true, true])
})

describe('the text of an error', () => {
  const most = LIMITS.messageMaxLength

  test('is kept up to the bound; beyond it the rest is counted', () => {
    expect(new CtrError('CTR_INPUT', 'x'.repeat(most)).message).toHaveLength(most)
    expect(new CtrError('CTR_INPUT', 'x'.repeat(most + 1)).message).toBe(`${'x'.repeat(most)}… (1 characters more)`)
    expect(clip('', 0)).toBe('')
  })

  test('and of its causes makes no log line of megabytes', () => {
    const lines: string[] = []
    const stream = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk))
        done()
      },
    })
    const log = createLogger({ level: 'info', pretty: false }, stream)
    log.error({ err: new Error('outer', { cause: new Error('y'.repeat(10_000_000)) }) }, 'failed')
    log.error({ err: 'a text' }, 'failed')
    log.error({ err: undefined }, 'failed')
    expect(lines.map((line) => line.length < 4 * most)).toEqual([true, true, true])
    expect(lines[0]).toContain('characters more')
  })
})

describe('a record of several events', () => {
  test('of as many as events.maxPerRecord fits into the smallest ring that may go with it', () => {
    for (const most of [1, 2, 100, 204, 205, 511, 512, 513, 1000, LIMITS.eventsPerRecordMax]) {
      const ring = LIMITS.recordRingBytes + most * LIMITS.elementRingBytes
      const capacity = 2 ** Math.floor(Math.log2(ring))
      expect([most, eventsWordsMax(2 * most, Math.max(1024, 2 * most)) * 4 <= ring]).toEqual([most, true])
      // In one block, which may take half of it: rings are powers of two, so the next one is what it gets.
      expect([most, eventsMaxOf(new RingWriter(createRing(2 * capacity))) >= 2 * most]).toEqual([most, true])
    }
  })

  test.each([
    [204, true],
    [205, false],
  ])('of %i elements goes with the smallest ring: %s', (most, fits) => {
    const sets = ['engine.ringBytes=64KiB', `events={fields: {product: "a[].b"}, maxPerRecord: ${most}}`]
    const load = () => loadConfig({ env: {}, sets })
    if (fits) expect(load).not.toThrow()
    else expect(load).toThrow(/engine\.ringBytes holds no record of events\.maxPerRecord \(205\)/)
  })

  test.each([
    [99, false],
    [100, true],
  ])('and %i products at most goes with 100 elements: %s', (products, fits) => {
    const load = () =>
      loadConfig({ env: {}, sets: [`state.maxProducts=${products}`, 'events={fields: {product: "a[].b"}, maxPerRecord: 100}'] })
    if (fits) expect(load).not.toThrow()
    else expect(load).toThrow(/state\.maxProducts is less than/)
  })

  test.each([
    [2, 'VALID'],
    [3, 'VALID'],
    [4, 'TOO_MANY'],
  ])('of %i elements of 3 is %s, whichever reader reads it', (count, verdict) => {
    const readers = recordReaders({ events: { fields: { product: 'ids[]', time: 'at' }, type: 'click', maxPerRecord: 3 }, plain: {} })
    const value = Buffer.from(JSON.stringify({ at: NOW, ids: Array.from({ length: count }, (_, i) => i) }))
    const said = [readers.fast(value)!, readers.exact(value)!].map((read) => (typeof read === 'string' ? read : 'VALID'))
    expect(said).toEqual([verdict, verdict])
  })
})
