/**
 * Puts the records of letters back into the topics that they came from, in the order in which they were there, each into its partition.
 *
 * They go by transactions, and each says what it has put back (progress.ts). A run begins by shutting out whoever was at it before, then
 * reads what has been committed: so one that dies, or is killed between two requests, leaves nothing half done, and the next one goes on
 * behind it. A record comes back once, however many letters tell of it and however often it is chosen. If it is invalid again, that is a
 * letter of another record, which may be put back in its turn.
 */
import { CtrError } from '../errors.ts'
import { BatchProducer } from '../kafka/batch-producer.ts'
import type { KafkaClientOptions } from '../kafka/kafka-client.ts'
import { RecordReader } from '../kafka/record-reader.ts'
import { type TransactionRecord, Transactions } from '../kafka/transactions.ts'
import { type FoundLetter, isChosen, type LetterChoice, notPutBack, rawBytes, recordOf } from './letter.ts'
import { PutBack, progressRecord } from './progress.ts'
import type { LetterStream } from './source.ts'

/** What becomes of a record's bytes; undefined leaves the record out. */
export type Mend = (value: Buffer, found: FoundLetter) => Buffer | undefined | Promise<Buffer | undefined>

export interface RetryOptions {
  readonly choice: LetterChoice
  /** At most so many records. */
  readonly limit: number
  /** Instead of the topic that a record came from. */
  readonly into?: string | undefined
  /** Records may come from, or go to, these topics only. */
  readonly topics: readonly string[]
  /** Those of them where an event's time is its record's: it would be that of the retry. */
  readonly timedByRecord: readonly string[]
  /** Of the progress. */
  readonly progressTopic: string
  readonly mend?: Mend | undefined
  /** Records in a transaction. */
  readonly perTransaction: number
  /** Who puts them back, for the progress. */
  readonly by: string
  readonly dryRun: boolean
}

/** How it went, in records. */
export interface RetryOutcome {
  /** Letters that are chosen; several may be about one record. */
  readonly letters: number
  /** Put back now; of a dry run those that would be. */
  readonly back: number
  /** Put back before. */
  readonly before: number
  /** More letters about a record that is among the others. */
  readonly again: number
  /** That `mend` has left out. */
  readonly leftOut: number
  /** Beyond the limit. */
  readonly beyond: number
  /** That can't be put back, by why. */
  readonly not: ReadonlyMap<string, number>
  /** Of `back`, by the topic that they went to. */
  readonly into: ReadonlyMap<string, number>
}

/** All that are chosen are in memory at once, for they are put in order. */
const BYTES_MAX = 512 * 1024 * 1024
const TRANSACTION_BYTES = 512 * 1024

/** `told` hears of each transaction how many records are back by then. Throws CtrError. */
export async function retryLetters(
  letters: LetterStream,
  client: KafkaClientOptions,
  options: RetryOptions,
  told: (done: number, all: number) => void,
): Promise<RetryOutcome> {
  const { chosen, count, again, not } = await chosenOf(letters, options)
  const targets = targetsOf(chosen, options)
  const transactions = new Transactions(client, options.progressTopic)
  const reader = new RecordReader(client)
  try {
    await reader.connect()
    await checkPartitions(reader, targets)
    if (!options.dryRun) {
      await makeTopic(client, options.progressTopic)
      await transactions.connect()
    }
    const progress = await readProgress(reader, options.progressTopic)
    const left = chosen.filter(({ letter }) => !progress.has(letter))
    const now = left.slice(0, options.limit)
    const { into, leftOut } = await putBack(now, options, options.dryRun ? undefined : transactions, told)
    const back = [...into.values()].reduce((sum, records) => sum + records, 0)
    return { letters: count, back, before: chosen.length - left.length, again, leftOut, beyond: left.length - now.length, not, into }
  } finally {
    await Promise.allSettled([reader.close(), options.dryRun ? undefined : transactions.close()])
  }
}

/** One letter of each record, in the order of the records. */
async function chosenOf(letters: LetterStream, { choice }: RetryOptions) {
  const chosen = new Map<string, FoundLetter>()
  const not = new Map<string, number>()
  let [count, again, bytes] = [0, 0, 0]
  for await (const found of letters) {
    if (found === undefined || !isChosen(found, choice)) continue
    count++
    const why = notPutBack(found.letter)
    const record = recordOf(found.letter)
    if (why !== undefined) not.set(why, (not.get(why) ?? 0) + 1)
    else if (chosen.has(record)) again++
    else {
      chosen.set(record, found)
      bytes += found.letter.rawData.length
    }
    if (bytes <= BYTES_MAX) continue
    const remedy = 'choose fewer: --reason, --topic, --since and --until'
    throw new CtrError(
      'CTR_USAGE',
      `the letters hold more than ${BYTES_MAX / 1024 / 1024} MiB, which is more than is put in order at once; ${remedy}`,
    )
  }
  const ordered = [...chosen.values()].toSorted(({ letter: a }, { letter: b }) => {
    return a.rawTopic < b.rawTopic ? -1 : a.rawTopic > b.rawTopic ? 1 : a.partition - b.partition || a.offset - b.offset
  })
  return { chosen: ordered, count, again, not }
}

/** The highest partition that is wanted of each topic that records go to. */
function targetsOf(chosen: readonly FoundLetter[], { into, topics, timedByRecord }: RetryOptions): ReadonlyMap<string, number> {
  const targets = new Map<string, number>()
  for (const { letter } of chosen) {
    const topic = into ?? letter.rawTopic
    targets.set(topic, Math.max(targets.get(topic) ?? 0, letter.partition))
  }
  for (const topic of targets.keys()) {
    if (!topics.includes(topic)) {
      const what = `there are letters of topic ${topic}, which is none of kafka.topics (${topics.join(', ')})`
      throw new CtrError('CTR_USAGE', `${what}; name the topic of kafka.topics with --into, or choose other letters with --topic`)
    }
    if (!timedByRecord.includes(topic)) continue
    const what = `events.time.source of topic ${topic} is record, and letters lack that time: records put back would count when they are`
    const remedy = 'choose letters of other topics with --topic, or name with --into one whose events have their time in a field'
    throw new CtrError('CTR_USAGE', `${what}; ${remedy}`)
  }
  return targets
}

async function checkPartitions(reader: RecordReader, targets: ReadonlyMap<string, number>): Promise<void> {
  const partitions = await reader.partitionsOf([...targets.keys()])
  for (const [topic, partition] of targets) {
    const there = partitions.get(topic)
    if (there === undefined)
      throw new CtrError('CTR_KAFKA_TOPIC_MISSING', `kafka.topics ${topic}: there is no such topic to put records back into`)
    if (partition < there) continue
    throw new CtrError(
      'CTR_USAGE',
      `${topic} has ${there} partitions, and there are letters of partition ${partition}: create it with as many`,
    )
  }
}

/** It must outlive the letters. */
async function makeTopic(client: KafkaClientOptions, topic: string): Promise<void> {
  const producer = new BatchProducer(client)
  try {
    await producer.reach()
    await producer.prepareTopics([topic], 1, { 'retention.ms': '-1', 'cleanup.policy': 'delete' })
  } finally {
    await producer.close()
  }
}

async function readProgress(reader: RecordReader, topic: string): Promise<PutBack> {
  const progress = new PutBack()
  if (!(await reader.partitionsOf([topic])).has(topic)) return progress
  for await (const { offset, value } of reader.records(topic)) {
    if (progress.add(value)) continue
    throw new CtrError('CTR_INPUT', `${topic}, offset ${offset}: it does not say what was put back; name another topic with --progress`)
  }
  return progress
}

async function putBack(
  letters: readonly FoundLetter[],
  { into: target, mend, perTransaction, progressTopic, by }: RetryOptions,
  transactions: Transactions | undefined,
  told: (done: number, all: number) => void,
): Promise<{ into: Map<string, number>; leftOut: number }> {
  const into = new Map<string, number>()
  let leftOut = 0
  for (let at = 0; at < letters.length; ) {
    const records: TransactionRecord[] = []
    const own: FoundLetter[] = []
    for (let bytes = 0; at < letters.length && records.length < perTransaction && bytes < TRANSACTION_BYTES; at++) {
      const found = letters[at] as FoundLetter
      const value = await mended(found, mend)
      if (value === undefined) {
        leftOut++
        continue
      }
      const topic = target ?? found.letter.rawTopic
      records.push({ topic, partition: found.letter.partition, value })
      own.push(found)
      bytes += value.length
    }
    if (records.length === 0) continue
    const done = progressRecord(
      own.map(({ letter }) => letter),
      by,
      Date.now(),
    )
    await transactions?.send([...records, { topic: progressTopic, partition: 0, value: done }])
    for (const { topic } of records) into.set(topic, (into.get(topic) ?? 0) + 1)
    told(at, letters.length)
  }
  return { into, leftOut }
}

async function mended(found: FoundLetter, mend: Mend | undefined): Promise<Buffer | undefined> {
  const bytes = rawBytes(found.letter)
  if (mend === undefined) return bytes
  try {
    const value: unknown = await mend(bytes, found)
    if (value === undefined || value === null) return undefined
    if (typeof value === 'string') return Buffer.from(value)
    if (value instanceof Uint8Array) return Buffer.from(value)
    throw new TypeError(`it gives ${typeof value}, and not bytes, text or undefined`)
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    throw new CtrError('CTR_USAGE', `--map: of the letter ${found.place}: ${what}`, { cause: error })
  }
}
