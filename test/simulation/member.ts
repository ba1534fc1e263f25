/**
 * A member of the group: the engine's own lanes (kafka/lane-group.ts) over a consumer that behaves as kafkajs' does. It fetches what is not
 * held, one response per partition at a time; it hears of a new generation some time after it has begun, and until then goes on as before.
 */
import type { Cluster } from 'kafkajs'
import type { Logger } from 'pino'
import { walkBatches } from '../../src/batch/record-batches.ts'
import { Frame, type FramePool } from '../../src/kafka/frame-pool.ts'
import type { Lane } from '../../src/kafka/lane.ts'
import { LaneGroup } from '../../src/kafka/lane-group.ts'
import { encodeOffsetMetadata } from '../../src/kafka/offset-metadata.ts'
import type { LowWaterMark, Source, SourceHandler } from '../../src/source/source.ts'
import type { Broker, Fetched, Member } from './broker.ts'
import { GROUP, type JoinStep, TOPICS } from './plan.ts'
import type { Owner } from './scheduler.ts'
import type { World } from './world.ts'

interface Fetcher {
  readonly topic: string
  readonly partition: number
  position: number
  held: boolean
  /** Grows with every seek. */
  seeks: number
  busy: boolean
  gone: boolean
}

const POLL_MS = 150

export class SimulatedMember implements Source, Member {
  readonly id: string
  readonly #world: World
  readonly #broker: Broker
  readonly #pod: Owner
  readonly #bounded: boolean
  readonly #logger: Logger
  readonly #fetchers = new Map<string, Fetcher>()
  /** By which topics are fetched. */
  readonly #topicIds = new Map<string, string>()
  #lanes: LaneGroup | undefined
  #generation = 0
  #waking = false
  #stopped = false
  #closed = false
  #committing: Promise<void> | undefined
  /** Told of each step of a join, again and again. */
  onStep: (step: JoinStep) => void = () => {}

  constructor(world: World, broker: Broker, pod: Owner, bounded: boolean, logger: Logger) {
    this.#world = world
    this.#broker = broker
    this.#pod = pod
    this.#bounded = bounded
    this.#logger = logger
    this.id = pod.name
  }

  get extent() {
    const { tasks } = this.#world.plan
    return { tasks, partitions: tasks * TOPICS.length }
  }

  async start(handler: SourceHandler): Promise<void> {
    await this.#persist(() => {})
    if (this.#stopped) return
    const options = { groupId: GROUP, topics: TOPICS, startFrom: 'committed', bounded: this.#bounded, logger: this.#logger } as const
    const control = {
      handler,
      cluster: () => this.#cluster,
      topicIds: async () => {
        if (this.#world.mutation === 'ids of topics ignored') return undefined
        return await this.#world.request(this.#pod, 'kafka', () => new Map(this.#broker.topicIds))
      },
      readBy: (topic: string, id: string) => void this.#topicIds.set(topic, id),
      seek: (lane: Lane, offset: number) => {
        const fetcher = this.#fetchers.get(`${lane.topic}/${lane.partition}`)
        if (fetcher === undefined) return
        fetcher.position = offset
        fetcher.seeks++
      },
      hold: (lane: Lane, held: boolean) => {
        const fetcher = this.#fetchers.get(`${lane.topic}/${lane.partition}`)
        if (fetcher === undefined) return
        fetcher.held = held
        if (!held) this.#fetchSoon(fetcher, 0)
      },
    }
    this.#lanes = new LaneGroup(options, control, new Map(TOPICS.map((topic) => [topic, this.#world.plan.tasks])))
    this.onStep('asks')
    await this.#persist(() => this.#broker.join(this))
  }

  wake(): void {
    if (this.#waking) return
    this.#waking = true
    this.onStep('syncs')
    this.#world.time.after(this.#world.latency() * 3, () => this.#rejoin(), this.#pod)
  }

  /** Has been thrown out while it stood still, and finds out. */
  heartbeat(): void {
    if (!this.#closed && this.#lanes !== undefined && !this.#broker.has(this.id)) this.#broker.join(this)
  }

  pause(topicIndex: number, partition: number): void {
    this.#lanes?.setPaused(topicIndex, partition, true)
  }

  resume(topicIndex: number, partition: number): void {
    this.#lanes?.setPaused(topicIndex, partition, false)
  }

  async refreshEndOffsets(partitions: readonly { topicIndex: number; partition: number }[]): Promise<void> {
    await this.#lanes?.refreshEndOffsets(partitions)
  }

  async commit(marks: readonly LowWaterMark[]): Promise<boolean> {
    const { mutation } = this.#world
    const own = marks.flatMap(({ topicIndex, partition, offset, ...known }) => {
      const lane = this.#lanes?.at(topicIndex, partition)
      if (lane === undefined) return []
      const metadata = { ...known }
      if (mutation === 'marks without event time') metadata.maxEventTime = undefined
      if (mutation === 'marks without totals') metadata.totals = undefined
      if (mutation === 'marks without candidates') metadata.facts = { ...metadata.facts, candidates: undefined }
      if (mutation === 'marks without windowsFrom') metadata.facts = { ...metadata.facts, windowsFrom: undefined }
      return [{ topic: lane.topic, partition, offset, metadata: encodeOffsetMetadata(metadata) }]
    })
    if (own.length === 0 || this.#committing !== undefined) return false
    const generation = this.#generation
    let committed = false
    this.#committing = this.#world
      .request(this.#pod, 'kafka', () => this.#broker.commit(this.id, generation, own))
      .then(() => {
        committed = true
      })
      .catch(() => {})
      .finally(() => {
        this.#committing = undefined
      })
    await Promise.race([this.#committing, this.#world.pause(5_000)])
    return committed
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#lanes?.stop()
  }

  async close(): Promise<void> {
    await this.stop()
    this.#closed = true
    await this.#world.request(this.#pod, 'kafka', () => this.#broker.leave(this.id)).catch(() => {})
  }

  #rejoin(): void {
    this.#waking = false
    if (this.#closed || this.#generation === this.#broker.generation) return
    if (!this.#broker.has(this.id)) {
      this.#broker.join(this)
      return
    }
    this.#generation = this.#broker.generation
    for (const fetcher of this.#fetchers.values()) fetcher.gone = true
    this.#fetchers.clear()
    const tasks = this.#broker.tasksOf(this.id)
    const assignment = Object.fromEntries(TOPICS.map((topic) => [topic, tasks]))
    for (const topic of TOPICS) {
      for (const partition of tasks) {
        const position = this.#broker.committed(topic, partition)?.offset ?? this.#broker.offset(topic, partition, 'earliest')
        this.#fetchers.set(`${topic}/${partition}`, { topic, partition, position, held: false, seeks: 0, busy: false, gone: false })
      }
    }
    this.#world.note(this.id, `joined generation ${this.#generation} with ${tasks.join(' ') || 'no task'}`)
    this.#lanes?.joined(assignment)
    this.onStep('restores')
    for (const fetcher of this.#fetchers.values()) this.#fetchSoon(fetcher, 0)
  }

  #fetchSoon(fetcher: Fetcher, ms: number): void {
    if (fetcher.busy || fetcher.gone || this.#closed) return
    fetcher.busy = true
    this.#world.time.after(ms, () => void this.#fetch(fetcher), this.#pod)
  }

  async #fetch(fetcher: Fetcher): Promise<void> {
    const { topic, partition, seeks, position } = fetcher
    const topicId = this.#topicIds.get(topic)
    let wait = 0
    if (!fetcher.held && !fetcher.gone && !this.#stopped) {
      const fetched = await this.#world
        .request(this.#pod, 'kafka', () => this.#broker.fetch(topic, partition, position, topicId))
        .catch(() => undefined)
      if (fetched === undefined) wait = POLL_MS
      else if (await this.#take(fetcher, position, fetched, topicId)) {
        this.onStep('fetched')
        if (seeks === fetcher.seeks) fetcher.position = walkBatches(fetched.bytes, 0, fetched.bytes.length, []).nextOffset
      } else wait = POLL_MS
    }
    fetcher.busy = false
    if (!fetcher.held) this.#fetchSoon(fetcher, wait)
  }

  /** False when there was nothing. The memory of what was fetched is spoiled as soon as nobody holds it. */
  async #take({ topic, partition }: Fetcher, position: number, fetched: Fetched, topicId: string | undefined): Promise<boolean> {
    const { outOfRange, otherTopic, latest, bytes: log } = fetched
    if (otherTopic) this.#lanes?.otherTopic(topic, partition)
    else if (outOfRange) this.#lanes?.outOfRange(topic, partition)
    else this.#lanes?.endOffset(topic, partition, latest, latest, topicId)
    if (log.length === 0) return false
    const pool = { giveBack: (one: Frame) => one.bytes.fill(0xff) } as unknown as FramePool
    const frame = new Frame(pool, log.length)
    frame.retain()
    log.copy(frame.bytes)
    const walk = walkBatches(frame.bytes, 0, log.length, [])
    const value = { bytes: frame.bytes, walk, frame, generation: frame.generation, topicId }
    const batch = { topic, partition, fetchedOffset: String(position), rawMessages: [{ value }] }
    const taken = this.#lanes?.take(batch as unknown as Parameters<LaneGroup['take']>[0])
    frame.release()
    await taken
    return true
  }

  /** Until it is answered. */
  async #persist(effect: () => void): Promise<void> {
    for (let done = false; !done && !this.#stopped; ) {
      done = await this.#world.request(this.#pod, 'kafka', effect).then(
        () => true,
        () => this.#world.pause(200).then(() => false),
      )
    }
  }

  /** As far as the lanes ask it. */
  get #cluster(): Cluster {
    const ask = <T>(effect: () => T) => this.#world.request(this.#pod, 'kafka', effect)
    const broker = this.#broker
    const cluster = {
      findGroupCoordinator: async () => ({
        offsetFetch: ({ topics }: { topics: { topic: string; partitions: { partition: number }[] }[] }) =>
          ask(() => ({
            responses: topics.map(({ topic, partitions }) => ({
              topic,
              partitions: partitions.map(({ partition }) => {
                const { offset = -1, metadata = '' } = broker.committed(topic, partition) ?? {}
                return { partition, offset: String(offset), metadata }
              }),
            })),
          })),
      }),
      fetchTopicsOffset: (topics: { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[]) =>
        ask(() =>
          topics.map(({ topic, partitions, fromBeginning }) => ({
            topic,
            partitions: partitions.map(({ partition }) => {
              return { partition, offset: String(broker.offset(topic, partition, fromBeginning ? 'earliest' : 'latest')) }
            }),
          })),
        ),
      refreshMetadata: async () => {},
    }
    return cluster as unknown as Cluster
  }
}
