/** A lane group between a pretended consumer and a handler that writes down what happens, in order. */
import type { Cluster } from 'kafkajs'
import { pino } from 'pino'
import { walkBatches } from '../../src/batch/record-batches.ts'
import type { FetchedRecords } from '../../src/kafka/fetch-response.ts'
import type { Lane } from '../../src/kafka/lane.ts'
import { LaneGroup, type LaneGroupOptions } from '../../src/kafka/lane-group.ts'
import type { AssignedPartition, RecordBatches, SourceHandler } from '../../src/source/source.ts'
import { batchBytes } from './batch-bytes.ts'

export interface Log {
  earliest: number
  latest: number
  committed: number | ((partition: number) => number)
  metadata?: string
  /** Of every topic. */
  topicId?: string
}

/** Nothing is assigned yet. */
export function bench(log: Log, options: Partial<LaneGroupOptions> = {}) {
  const events: string[] = []
  const [failures, ends]: [unknown[], number[]] = [[], []]
  const assignments: AssignedPartition[] = []
  let answer: ((batches: RecordBatches) => Promise<void> | undefined) | undefined
  const handler: SourceHandler = {
    assigned: (list) => {
      assignments.push(...list)
      events.push(`assigned ${list.map(({ partition, position }) => `${partition}@${position}`)}`)
    },
    revoked: (list) => void events.push(`revoked ${list.map(({ partition }) => partition)}`),
    batch: (batches) => {
      const bytes = Buffer.from(batches.bytes)
      const { spans } = walkBatches(bytes, batches.start, batches.end, [])
      events.push(`batch ${batches.partition}: ${spans[0]?.baseOffset}-${spans.at(-1)?.nextOffset}`)
      return answer?.(batches)
    },
    replaced: ({ partition, position, topicId, remade }) => void events.push(`replaced ${partition}@${position} ${topicId} ${remade}`),
    skipped: (_topic, partition, position) => void events.push(`skipped ${partition}@${position}`),
    corrupt: ({ partition }, position) => void events.push(`corrupt ${partition}@${position}`),
    endOffset: (_topic, _partition, end) => void ends.push(end),
    failed: (error) => void failures.push(error),
  }
  const committed = (partition: number) => (typeof log.committed === 'function' ? log.committed(partition) : log.committed)
  const list = (fromBeginning: boolean) => String(fromBeginning ? log.earliest : log.latest)
  const cluster = {
    findGroupCoordinator: async () => ({
      offsetFetch: async ({ topics }: { topics: { topic: string; partitions: { partition: number }[] }[] }) => ({
        responses: topics.map(({ topic, partitions }) => ({
          topic,
          partitions: partitions.map(({ partition }) => ({ partition, offset: String(committed(partition)), metadata: log.metadata })),
        })),
      }),
    }),
    fetchTopicsOffset: async (topics: { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[]) =>
      topics.map(({ topic, partitions, fromBeginning }) => ({
        topic,
        partitions: partitions.map(({ partition }) => ({ partition, offset: list(fromBeginning) })),
      })),
    refreshMetadata: async () => {},
  } as unknown as Cluster
  const group = new LaneGroup(
    { groupId: 'g', topics: ['t'], startFrom: 'committed', bounded: false, logger: pino({ level: 'silent' }), ...options },
    {
      handler,
      cluster: () => cluster,
      topicIds: async (topics) => (log.topicId === undefined ? undefined : new Map(topics.map((topic) => [topic, log.topicId ?? '']))),
      readBy: (topic, id) => void events.push(`read ${topic} by ${id}`),
      seek: (lane: Lane, offset) => void events.push(`seek ${lane.partition}@${offset}`),
      hold: (lane: Lane, held) => void events.push(`${held ? 'hold' : 'free'} ${lane.partition}`),
    },
    new Map([['t', 2]]),
  )
  const take = (
    partition: number,
    fetchedOffset: number,
    bytes: Buffer,
    frame?: FetchedRecords['frame'],
    generation = 0,
    topicId?: string,
  ) => {
    const value: FetchedRecords = { bytes, walk: walkBatches(bytes, 0, bytes.length, []), frame, generation, topicId }
    return group.take({ topic: 't', partition, fetchedOffset: String(fetchedOffset), rawMessages: [{ value }] } as never)
  }
  const settle = () => new Promise((resolve) => setTimeout(resolve, 20))
  const since = () => events.splice(0)
  return { group, take, settle, since, failures, ends, assignments, wait: (to: typeof answer) => (answer = to) }
}

/** A batch of ten records. */
export const ten = (from: number, magic = 2) => batchBytes({ baseOffset: from, count: 10, magic })

/** With partition 0 handed over. */
export async function joined(log: Log, options: Partial<LaneGroupOptions> = {}) {
  const all = bench(log, options)
  all.group.joined({ t: [0] })
  await all.settle()
  all.since()
  return all
}
