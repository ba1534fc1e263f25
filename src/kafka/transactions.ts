/**
 * Sends records to several topics in one transaction: all of them are there for who reads what is committed, or none is. Who connects under
 * a transactional id shuts out whoever had it before: an open transaction of that one is aborted, and it can commit none any more.
 */
import kafkajs, { type Producer, type Transaction } from 'kafkajs'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { FramePool } from './frame-pool.ts'
import { type KafkaClientOptions, kafkaClient } from './kafka-client.ts'
import { toCtrError } from './kafka-errors.ts'

/** A record for a partition of a topic. */
export interface TransactionRecord {
  readonly topic: string
  readonly partition: number
  readonly value: Buffer
}

/** What a process leaves open that dies is aborted after this by the brokers, or at once by the next one under its id. */
const TRANSACTION_MAX_MS = 30_000
/** For how long the coordinator may take to write that the transaction before has ended. */
const CONCURRENT_MAX_MS = 30_000
const CONCURRENT_WAIT_MS = 20
const FENCED: readonly unknown[] = ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_TXN_STATE', 'INVALID_PRODUCER_ID_MAPPING']
const CONCURRENT = 'CONCURRENT_TRANSACTIONS'
/**
 * Nothing else of this one is under way when it commits: what is, is the next one's shutting it out. Kafka 4.1 answers a commit at that
 * moment now and then with an error that says nothing (-1), too.
 */
const FENCED_AT_COMMIT: readonly unknown[] = [...FENCED, CONCURRENT, 'UNKNOWN']

export class Transactions {
  readonly #options: KafkaClientOptions
  readonly #id: string
  readonly #producer: Producer
  #first: Transaction | undefined

  constructor(options: KafkaClientOptions, id: string) {
    this.#options = options
    this.#id = id
    this.#producer = kafkaClient(options, new FramePool()).producer({
      idempotent: true,
      transactionalId: id,
      transactionTimeout: TRANSACTION_MAX_MS,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
  }

  /** From here on nobody else commits under the id, and what others have committed is to be read. Throws CtrError. */
  async connect(): Promise<void> {
    await this.#explained(async () => {
      await this.#producer.connect()
      this.#first = await this.#producer.transaction()
    })
  }

  /** All or none. When it rejects they may be there nevertheless: the answer may have been lost. Throws CtrError. */
  async send(records: readonly TransactionRecord[]): Promise<void> {
    const transaction = await this.#explained(() => this.#open(records))
    await this.#explained(() => transaction.commit(), FENCED_AT_COMMIT)
  }

  async close(): Promise<void> {
    await this.#producer.disconnect()
  }

  /** A transaction with the records in it. */
  async #open(records: readonly TransactionRecord[]): Promise<Transaction> {
    const transaction = this.#first ?? (await this.#producer.transaction())
    this.#first = undefined
    try {
      const byTopic = Map.groupBy(records, ({ topic }) => topic)
      const topicMessages = [...byTopic].map(([topic, own]) => ({
        topic,
        messages: own.map(({ partition, value }) => ({ key: null, partition, value })),
      }))
      await whenBeforeIsOver(() => transaction.sendBatch({ acks: -1, topicMessages }))
      return transaction
    } catch (error) {
      await transaction.abort().catch(() => undefined) // the failure before says more
      throw error
    }
  }

  async #explained<T>(work: () => Promise<T>, fenced = FENCED): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const found = causesOf(error).find(({ type }) => fenced.includes(type))
      if (found === undefined) throw toCtrError(error, this.#options.brokers)
      const doubt = found.type === 'UNKNOWN' ? 'the broker does not say why a commit failed; most likely ' : ''
      const what = `${doubt}somebody else has begun under this transactional id; what was committed before is done`
      throw new CtrError('CTR_GROUP_BUSY', `transactional id ${this.#id}: ${what}; let one of both end, then run it again`, {
        cause: error,
      })
    }
  }
}

async function whenBeforeIsOver<T>(work: () => Promise<T>): Promise<T> {
  for (const giveUpAt = performance.now() + CONCURRENT_MAX_MS; ; ) {
    try {
      return await work()
    } catch (error) {
      const waits = causesOf(error).some(({ type }) => type === CONCURRENT)
      if (!waits || performance.now() > giveUpAt) throw error
      await sleep(CONCURRENT_WAIT_MS)
    }
  }
}

function causesOf(error: unknown): { type?: unknown }[] {
  const causes: { type?: unknown }[] = []
  for (let at: unknown = error; at instanceof Error && causes.length < 10; at = at.cause) causes.push(at as { type?: unknown })
  return causes
}
