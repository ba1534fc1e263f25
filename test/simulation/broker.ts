/**
 * A Kafka cluster: logs of record batches that grow and lose their beginning, one consumer group with generations, and its offsets. A
 * commit counts only when it comes from a member of the present generation. Every accepted mark is compared with the truth.
 */
import { CtrError } from '../../src/errors.ts'
import { decodeOffsetMetadata } from '../../src/kafka/offset-metadata.ts'
import { encodeBatch } from '../../workshop/memory-run.ts'
import type { OracleRecord } from '../../workshop/oracle.ts'
import { FIRST_ID, type Finale, REMADE_ID } from './finale.ts'
import { TOPICS } from './plan.ts'
import { differenceOf } from './truth.ts'
import type { World } from './world.ts'

interface LogBatch {
  readonly baseOffset: number
  readonly nextOffset: number
  readonly bytes: Buffer
}

interface Log {
  readonly topic: string
  readonly partition: number
  /** Not produced yet. */
  readonly coming: OracleRecord[]
  readonly batches: LogBatch[]
  earliest: number
  latest: number
}

/** A process as the group sees it. */
export interface Member {
  readonly id: string
  /** It will hear of a new generation. */
  wake(): void
}

/** What a fetch gives. */
export interface Fetched {
  readonly outOfRange: boolean
  /** The topic of this id is not there any more. */
  readonly otherTopic: boolean
  readonly latest: number
  readonly bytes: Buffer
}

/** Retention follows the marks at this distance, so that none that is under way is left behind. */
const RETENTION_BEHIND_MS = 40_000

export class Broker {
  generation = 0
  readonly #world: World
  readonly #logs = new Map<string, Log>()
  readonly #committed = new Map<string, { readonly offset: number; readonly metadata: string }>()
  readonly #members = new Map<string, Member>()
  readonly #topicIds = new Map(TOPICS.map((topic) => [topic, FIRST_ID]))
  #assigned = new Map<number, string>()
  /** Lowest marks at times past. */
  readonly #history: { readonly at: number; readonly marks: ReadonlyMap<string, number> }[] = []

  constructor(world: World) {
    this.#world = world
    for (const topic of TOPICS) {
      for (let partition = 0; partition < world.plan.tasks; partition++) {
        const list = world.plan.lists.find(([first]) => first?.topic === topic && first.partition === partition) ?? []
        this.#logs.set(`${topic}/${partition}`, { topic, partition, coming: [...list], batches: [], earliest: 0, latest: 0 })
      }
    }
  }

  /** Appends some records somewhere; false when there are no more. */
  produce(share: number): boolean {
    const { random, plan } = this.#world
    let left = false
    for (const log of this.#logs.values()) {
      for (let count = Math.ceil(share * log.coming.length); count > 0 && log.coming.length > 0; ) {
        const records = log.coming.splice(0, 1 + random.below(Math.min(30, count)))
        count -= records.length
        const nextOffset = records.at(-1)!.offset + 1
        log.batches.push({ baseOffset: records[0]!.offset, nextOffset, bytes: encodeBatch(records, plan.codec) })
        log.latest = nextOffset
      }
      if (log.coming.length > 0) left = true
    }
    return left
  }

  get topicIds(): ReadonlyMap<string, string> {
    return this.#topicIds
  }

  /** By the topic's id, or its name when that is undefined. */
  fetch(topic: string, partition: number, from: number, topicId: string | undefined): Fetched {
    const log = this.#log(topic, partition)
    const { earliest, latest } = log
    const nothing = { latest, bytes: Buffer.alloc(0), otherTopic: false, outOfRange: false }
    if (topicId !== undefined && topicId !== this.#topicIds.get(topic)) return { ...nothing, otherTopic: true }
    if (from < earliest || from > latest) return { ...nothing, outOfRange: true }
    const first = log.batches.findIndex(({ nextOffset }) => nextOffset > from)
    const some = first < 0 ? [] : log.batches.slice(first, first + 1 + this.#world.random.below(4))
    return { ...nothing, bytes: Buffer.concat(some.map(({ bytes }) => bytes)) }
  }

  /** See finale.ts. Of a topic that is deleted the group's offsets go too. */
  finish({ kind, topic, lists }: Finale): void {
    const isRemade = kind !== 'gap'
    if (isRemade) this.#topicIds.set(topic, REMADE_ID)
    this.#world.note('world', `${topic}: ${kind}`)
    for (const list of lists) {
      const log = this.#log(topic, list[0]!.partition)
      log.batches.length = 0
      log.earliest = isRemade ? 0 : list[0]!.offset
      log.latest = list[0]!.offset
      log.coming.push(...list)
      if (isRemade) this.#committed.delete(`${topic}/${log.partition}`)
    }
    this.#history.length = 0
    this.produce(1)
  }

  offset(topic: string, partition: number, which: 'earliest' | 'latest'): number {
    return this.#log(topic, partition)[which]
  }

  committed(topic: string, partition: number): { readonly offset: number; readonly metadata: string } | undefined {
    return this.#committed.get(`${topic}/${partition}`)
  }

  commit(id: string, generation: number, offsets: readonly { topic: string; partition: number; offset: number; metadata: string }[]): void {
    if (generation !== this.generation || !this.#members.has(id)) {
      throw new CtrError('CTR_KAFKA_CRASHED', `generation ${generation} is over`, { retriable: true })
    }
    for (const { topic, partition, offset, metadata } of offsets) {
      if (this.#assigned.get(partition) !== id) this.#world.violation(`${id} commits ${topic}/${partition}, which it does not have`)
      this.#check(topic, partition, offset, metadata)
      this.#committed.set(`${topic}/${partition}`, { offset, metadata })
    }
  }

  join(member: Member): void {
    this.#members.set(member.id, member)
    this.rebalance()
  }

  leave(id: string): void {
    if (this.#members.delete(id)) this.rebalance()
  }

  has(id: string): boolean {
    return this.#members.has(id)
  }

  /** A new generation: most tasks stay where they are. */
  rebalance(): void {
    const { random, plan } = this.#world
    this.generation++
    const ids = [...this.#members.keys()]
    const before = this.#assigned
    this.#assigned = new Map()
    for (let task = 0; task < plan.tasks && ids.length > 0; task++) {
      const was = before.get(task)
      const stays = was !== undefined && this.#members.has(was) && !random.chance(0.3)
      this.#assigned.set(task, stays ? was : ids[random.below(ids.length)]!)
    }
    this.#world.note('group', `generation ${this.generation}: ${[...this.#assigned].map(([task, id]) => `${task}→${id}`).join(' ')}`)
    for (const member of this.#members.values()) member.wake()
  }

  tasksOf(id: string): number[] {
    return [...this.#assigned].flatMap(([task, owner]) => (owner === id ? [task] : []))
  }

  /** Deletes batches that lie below every mark of some time ago. */
  retain(): void {
    const { time, random } = this.#world
    const marks = new Map([...this.#logs.keys()].map((key) => [key, this.#committed.get(key)?.offset ?? 0]))
    this.#history.push({ at: time.now, marks })
    const old = this.#history.findLastIndex(({ at }) => at <= time.now - RETENTION_BEHIND_MS)
    if (old < 0) return
    for (const [key, log] of this.#logs) {
      const safe = Math.min(...this.#history.slice(old).map((entry) => entry.marks.get(key) ?? 0))
      while (log.batches.length > 0 && log.batches[0]!.nextOffset <= safe && random.chance(0.7)) {
        log.earliest = log.batches.shift()!.nextOffset
      }
    }
  }

  #check(topic: string, partition: number, offset: number, metadata: string): void {
    const { truth, mutation } = this.#world
    const known = decodeOffsetMetadata(metadata)
    const remade = known?.facts?.topicId === REMADE_ID
    const want = truth.prefix(remade ? `${topic}#${REMADE_ID}` : topic, partition, offset)
    const place = `mark ${topic}/${partition}@${offset}`
    if (mutation !== undefined) return // the end must tell
    if (known?.maxEventTime !== want.maxEventTime) {
      this.#world.violation(`${place}: largest event time ${known?.maxEventTime}, the truth is ${want.maxEventTime}`)
    }
    const difference = known?.totals === undefined ? 'no totals' : differenceOf(known.totals, want)
    if (difference !== undefined) this.#world.violation(`${place}: ${difference}`)
  }

  #log(topic: string, partition: number): Log {
    const log = this.#logs.get(`${topic}/${partition}`)
    if (log === undefined) throw new Error(`no partition ${partition} of ${topic}`)
    return log
  }
}
