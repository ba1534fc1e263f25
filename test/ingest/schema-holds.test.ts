import { describe, expect, test, vi } from 'vitest'
import { Degradations } from '../../src/degraded.ts'
import type { SchemaTrouble, WriterSchema } from '../../src/format/schemas.ts'
import { EventBlocks } from '../../src/ingest/event-blocks.ts'
import { createInflow } from '../../src/ingest/inflow.ts'
import { Ingest } from '../../src/ingest/ingest.ts'
import type { AwaitedSchemas } from '../../src/ingest/schema-holds.ts'
import { createRing } from '../../src/ring/layout.ts'
import { RingWriter } from '../../src/ring/ring-writer.ts'
import { encodeBatch, RULES } from '../../workshop/memory-run.ts'
import { takenBack } from '../../workshop/take-back.ts'
import { FramedJson, framed } from '../support/framed-json.ts'

const NOW = 1_700_000_000_000
const SCHEMA: WriterSchema = { type: 'avro', text: '"string"', references: [] }

/** Schemas that come when the test says so. */
class Late implements AwaitedSchemas {
  readonly changed = new Map<string, string>()
  readonly here = new Map<string, WriterSchema | 'unknown'>()
  readonly troubles = new Map<string, SchemaTrouble>()
  readonly #arrivals = new Map<string, PromiseWithResolvers<void>>()
  asked = 0

  find(key: string) {
    this.asked++
    return this.here.get(key)
  }

  unfit() {}

  arrival(key: string) {
    const arrival = this.#arrivals.get(key) ?? Promise.withResolvers<void>()
    this.#arrivals.set(key, arrival)
    return arrival.promise
  }

  troubleOf(key: string) {
    return this.troubles.get(key)
  }

  comes(key: string, what: WriterSchema | 'unknown' = SCHEMA) {
    this.here.set(key, what)
    this.#arrivals.get(key)?.resolve()
    this.#arrivals.delete(key)
  }
}

function bench(bounded = false, canRewind = false) {
  const schemas = new Late()
  const writers = [new RingWriter(createRing(65_536))]
  const rules = { ...RULES, idleTimeout: 1_000 }
  const rejected: string[] = []
  const letters = {
    full: false,
    reject: ({ offset, reason }: { offset: number; reason: number }) => void rejected.push(`${offset}: ${reason}`),
  }
  const time = { now: NOW }
  const degradations = new Degradations({ info: () => {}, warn: () => {} }, () => time.now)
  const format = new FramedJson(schemas)
  const asked: string[] = []
  const note = (kind: string) => (topicIndex: number, partition: number, position?: number) => {
    asked.push(`${kind} ${topicIndex}/${partition}${position === undefined ? '' : ` to ${position}`}`)
  }
  const inflow = createInflow({
    rules,
    topics: ['a', 'b'],
    nameOf: ({ topicIndex, partition }) => `${topicIndex === 0 ? 'a' : 'b'}/${partition}`,
    stateTtl: 1000,
    sweepsPerRound: 1,
    bounded,
    writers,
    ingest: new Ingest(rules, ['a', 'b'], [format, format], new EventBlocks(writers), { letters }),
    lettersRoom: async () => {},
    ringRoom: async () => {},
    schemas,
    source: {
      pause: note('pause'),
      resume: note('resume'),
      ...(canRewind ? { rewind: note('rewind') } : {}),
      refreshEndOffsets: async () => {},
    },
    begin: async () => new Map(),
    degradations,
    clock: () => time.now,
    onFailed: () => {},
  })
  const { deliveries, owned } = inflow
  const assign = (...places: [topicIndex: number, partition: number][]) =>
    deliveries.assigned(
      places.map(([topicIndex, partition]) => ({ topicIndex, partition, position: 0, maxEventTime: undefined, endOffset: undefined })),
    )
  /** Records from offset 0 on, each written with the schema of the id. */
  const feed = (topicIndex: number, partition: number, ids: readonly number[]) => {
    const records = ids.map((id, offset) => ({
      topic: 'a',
      partition,
      offset,
      recordTimestamp: NOW,
      value: framed(id, `{"product_id":"p${offset}","event_type":"click","timestamp":${NOW + offset}}`),
    }))
    return takenBack(encodeBatch(records), (bytes) => deliveries.batch({ topicIndex, partition, bytes, start: 0, end: bytes.length }))
  }
  const at = (topicIndex: number, partition: number) => {
    const { position, read, counted } = owned.find(topicIndex, partition)!
    return { position, read, counted }
  }
  return { ...inflow, schemas, asked, rejected, time, degradations, assign, feed, at }
}

describe('a record whose schema is not here', () => {
  test('holds its partition where it stands, and nothing else: all is counted, in order, when it comes', async () => {
    const { schemas, upkeep, owned, assign, feed, at } = bench()
    assign([0, 0], [1, 0], [0, 1])
    schemas.comes('id:1')
    const held = feed(0, 0, [1, 1, 2, 1, 2, 3, 1])
    expect(held).toBeInstanceOf(Promise)
    expect(at(0, 0)).toEqual({ position: 2, read: 2, counted: 2 })
    expect([upkeep.holds?.all, upkeep.holds?.keyOf(owned.find(0, 0)!)]).toEqual([false, 'id:2'])
    // The other topic of the task, and other tasks, go on.
    expect([feed(1, 0, [1, 1]), feed(0, 1, [1, 1, 1])]).toEqual([undefined, undefined])
    expect([at(1, 0).counted, at(0, 1).counted]).toEqual([2, 3])
    schemas.comes('id:2')
    await vi.waitFor(() => expect(at(0, 0)).toEqual({ position: 5, read: 5, counted: 5 }))
    schemas.comes('id:3')
    await held
    expect(at(0, 0)).toEqual({ position: 7, read: 7, counted: 7 })
    expect(upkeep.holds?.keyOf(owned.find(0, 0)!)).toBeUndefined()
  })

  test('needs no look at it again and again: it goes on when the schema comes, and asks no more than that it is still wanted', async () => {
    const { schemas, assign, feed, at } = bench()
    assign([0, 0])
    const held = feed(0, 0, [1])
    const began = schemas.asked
    await new Promise((resolve) => setTimeout(resolve, 220))
    expect(schemas.asked - began).toBeLessThan(8)
    schemas.comes('id:1')
    await held
    expect(at(0, 0).counted).toBe(1)
  })

  test('is a letter when the schema is unknown by choice, and the next record counts', async () => {
    const { schemas, rejected, assign, feed, at } = bench()
    assign([0, 0])
    schemas.comes('id:1')
    const held = feed(0, 0, [1, 2, 1])
    schemas.comes('id:2', 'unknown')
    await held
    expect(at(0, 0)).toEqual({ position: 3, read: 3, counted: 2 })
    expect(rejected).toEqual([expect.stringMatching(/^1: /)])
  })

  test.each([
    ['the partition leaves', ({ deliveries }: ReturnType<typeof bench>) => deliveries.revoked([{ topicIndex: 0, partition: 0 }])],
    ['the source is about to stop', ({ upkeep }: ReturnType<typeof bench>) => upkeep.letGo()],
    ['the run ends', ({ broadcasts }: ReturnType<typeof bench>) => broadcasts.stop()],
  ])('is given up when %s, and was not read', async (_, end) => {
    const made = bench()
    made.assign([0, 0])
    made.schemas.comes('id:1')
    const held = made.feed(0, 0, [1, 2])
    const partition = made.owned.find(0, 0)!
    end(made)
    await held
    expect([partition.position, partition.read, made.upkeep.holds?.stats.waiting]).toEqual([1, 1, 0])
  })

  test('holds the watermark of its task: it is not idle, however long it waits', async () => {
    const { schemas, upkeep, owned, time, assign, feed } = bench()
    assign([0, 0])
    schemas.comes('id:1')
    void feed(0, 0, [1, 2])
    owned.find(0, 0)!.hearEnd(2, 2, NOW)
    time.now += 600_000
    owned.find(0, 0)!.hearEnd(2, 2, time.now)
    await upkeep.maintain()
    expect(owned.find(0, 0)!.idle).toBe(false)
    upkeep.letGo()
  })
})

describe('a record whose schema takes long', () => {
  const given = async () => {
    const made = bench(false, true)
    made.assign([0, 0])
    made.schemas.comes('id:1')
    await made.feed(0, 0, [1, 1, 2, 1])
    return made
  }

  test('is given back to a source that can deliver it again, and goes on there when the schema comes', async () => {
    const { schemas, upkeep, asked, feed, at } = await given()
    expect(asked).toEqual(['pause 0/0', 'rewind 0/0 to 2'])
    await upkeep.maintain()
    expect([asked.length, upkeep.holds?.stats.waiting]).toEqual([2, 1])
    schemas.comes('id:2')
    await upkeep.maintain()
    expect(asked.slice(2)).toEqual(['resume 0/0'])
    expect(upkeep.holds?.stats.waiting).toBe(0)
    // The broker gives whole batches: what was read of them is passed over.
    expect(feed(0, 0, [1, 1, 2, 1])).toBeUndefined()
    expect(at(0, 0)).toEqual({ position: 4, read: 4, counted: 4 })
  })

  test('is waited for in its place where nothing can be delivered again', async () => {
    const { schemas, asked, assign, feed, at } = bench()
    assign([0, 0])
    const held = feed(0, 0, [1])
    await new Promise((resolve) => setTimeout(resolve, 1_300))
    expect(asked).toEqual([])
    schemas.comes('id:1')
    await held
    expect(at(0, 0).counted).toBe(1)
  })

  test('is not gone on with while alignment pauses its partition', async () => {
    const { schemas, upkeep, owned, asked } = await given()
    owned.find(0, 0)!.paused = true
    // Alone in its task it is the slowest, and is resumed by that.
    owned.tasks.get(0)!.time.alignment = () => ({ pause: [], resume: [] })
    schemas.comes('id:2')
    await upkeep.maintain()
    expect(asked.slice(2)).toEqual([])
  })

  test('that is delivered again too early waits on, since when it did', async () => {
    const { schemas, upkeep, degradations, time, feed } = await given()
    time.now += 60_000
    schemas.troubles.set('id:2', { code: 'CTR_SCHEMA_UNKNOWN', message: 'so it is' })
    const held = feed(0, 0, [1, 1, 2])
    await upkeep.maintain()
    expect(degradations.reasons[0]?.message).toContain(`a/0 waits at offset 2 since ${new Date(NOW).toISOString()}`)
    schemas.comes('id:2')
    await held
    expect(upkeep.holds?.stats).toEqual({ waiting: 0, waitedSeconds: 60 })
  })

  test('is forgotten when the partition leaves', async () => {
    const { schemas, deliveries, upkeep, asked } = await given()
    deliveries.revoked([{ topicIndex: 0, partition: 0 }])
    schemas.comes('id:2')
    await upkeep.maintain()
    expect([asked.length, upkeep.holds?.stats.waiting]).toEqual([2, 0])
  })
})

describe('what waits is told', () => {
  test('with the schema, the place, since when, why and what to do, and until it is over', async () => {
    const { schemas, degradations, upkeep, time, assign, feed } = bench()
    assign([0, 3])
    const held = feed(0, 3, [7])
    expect(upkeep.holds?.all).toBe(true)
    await upkeep.maintain()
    expect(degradations.reasons).toEqual([])
    schemas.troubles.set('id:7', { code: 'CTR_SCHEMA_UNKNOWN', message: 'nobody knows it; register it' })
    time.now += 5_000
    await upkeep.maintain()
    const message = 'a/3 waits at offset 0 since 2023-11-14T22:13:20.000Z for schema id:7: nobody knows it; register it'
    expect(degradations.reasons).toEqual([{ code: 'schemaUnknown', subject: 'a/3', since: NOW + 5_000, message }])
    schemas.troubles.set('id:7', { code: 'CTR_REGISTRY_AUTH', message: 'it is closed' })
    await upkeep.maintain()
    expect(degradations.reasons).toMatchObject([{ code: 'schemaRegistry' }])
    expect(upkeep.holds?.stats).toEqual({ waiting: 1, waitedSeconds: 5 })
    schemas.comes('id:7')
    await held
    await upkeep.maintain()
    expect([degradations.reasons, upkeep.holds?.stats]).toEqual([[], { waiting: 0, waitedSeconds: 5 }])
  })

  test.each([
    [1_999, 0],
    [2_000, 1],
  ])('a registry that has not answered for %i ms is told %i times', async (ms, times) => {
    const { degradations, upkeep, time, assign, feed } = bench()
    assign([0, 0])
    void feed(0, 0, [7])
    time.now += ms
    await upkeep.maintain()
    expect(degradations.reasons).toHaveLength(times)
    upkeep.letGo()
  })

  test('a schema that has changed is told though nobody waits', async () => {
    const { schemas, degradations, upkeep } = bench()
    schemas.changed.set('id:7', 'it was made anew')
    await upkeep.maintain()
    expect(degradations.reasons).toMatchObject([{ code: 'schemaChanged', subject: 'id:7', message: 'it was made anew' }])
  })

  test.each([
    ['CTR_SCHEMA_UNKNOWN', 29_999, false],
    ['CTR_SCHEMA_UNKNOWN', 30_000, true],
    ['CTR_SCHEMA_CHANGED', 30_000, true],
    ['CTR_REGISTRY_AUTH', 30_000, true],
    ['CTR_REGISTRY_UNREACHABLE', 3_600_000, false],
  ] as const)('a run that is to end fails: %s after %i ms: %s', async (code, ms, fails) => {
    const { schemas, upkeep, time, assign, feed } = bench(true)
    assign([0, 0])
    void feed(0, 0, [7])
    schemas.troubles.set('id:7', { code, message: 'so it is' })
    time.now += ms
    const maintained = upkeep.maintain()
    if (fails) await expect(maintained).rejects.toMatchObject({ code })
    else await maintained
    upkeep.letGo()
  })
})
