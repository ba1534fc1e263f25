/**
 * How Kafka's brokers are asked: over connections that try once, within the time of a check. What one failure keeps from being looked at is
 * told once; what else depends on it is skipped.
 */
import type { Cluster } from 'kafkajs'
import type { Config } from '../config/schema.ts'
import { FramePool } from '../kafka/frame-pool.ts'
import { clusterOf, type KafkaClientOptions, kafkaClient } from '../kafka/kafka-client.ts'
import { toCtrError } from '../kafka/kafka-errors.ts'
import { askTopicFacts } from '../kafka/own-requests.ts'
import { TOPIC_AUTHORIZATION_FAILED, type TopicFacts } from '../kafka/topic-ids.ts'
import type { Logger } from '../log.ts'
import { clientOptions } from '../run/clients.ts'
import { NotLooked } from './finding.ts'
import { inTime, sharesOf } from './in-time.ts'

const UNKNOWN_TOPIC = 3
/** Kafka makes it when a group is asked for the first time: then nothing is asked. */
const OFFSETS_TOPIC = '__consumer_offsets'

/** The connections of one examination. */
export class KafkaSession {
  readonly config: Config
  readonly brokers: readonly string[]
  readonly #options: KafkaClientOptions
  readonly #clusters: Cluster[] = []
  readonly #connections = new Map<string, Promise<Cluster>>()
  readonly #shares: ReturnType<typeof sharesOf>
  #main: Promise<Cluster> | undefined
  #facts: Promise<Known> | undefined

  constructor(config: Config, timeoutMs: number, log: Logger) {
    this.config = config
    this.brokers = config.kafka.brokers
    this.#shares = sharesOf(timeoutMs)
    const { connectionTimeout, requestTimeout } = config.kafka
    const { requestMs } = this.#shares
    this.#options = {
      ...clientOptions(config, log),
      connectionTimeoutMs: Math.min(connectionTimeout, requestMs),
      requestTimeoutMs: Math.min(requestTimeout, requestMs),
      retry: { retries: 0 },
    }
  }

  /** ms that a request may take. */
  get patienceMs(): number {
    return this.#shares.requestMs
  }

  /** The one connection to an address of the configuration, without what it says of the others. Rejects as a start does. */
  connect(broker: string): Promise<Cluster> {
    const known = this.#connections.get(broker)
    if (known !== undefined) return known
    const cluster = clusterOf(kafkaClient({ ...this.#options, brokers: [broker] }, new FramePool()))
    this.#clusters.push(cluster)
    const connecting = this.explained(() => cluster.connect(), [broker]).then(() => cluster)
    this.#connections.set(broker, connecting)
    return connecting
  }

  /** The connection for all that is about the cluster as a whole: by the first broker that answers. Rejects with NotLooked. */
  cluster(): Promise<Cluster> {
    this.#main ??= this.#open()
    return this.#main
  }

  /** What is known of the topics that the configuration names. Rejects with NotLooked, or as a start does. */
  facts(): Promise<Known> {
    this.#facts ??= this.cluster().then((cluster) => this.explained(() => this.#ask(cluster)))
    return this.#facts
  }

  /** The input topics that are there and may be looked at. Rejects with NotLooked when there is none, and as `facts`. */
  async inputs(): Promise<readonly TopicFacts[]> {
    const { topics } = await this.facts()
    const wanted = this.config.kafka.topics.map(({ name }) => name)
    const found = topics.filter(({ name, errorCode, partitions }) => wanted.includes(name) && errorCode === 0 && partitions > 0)
    if (found.length === 0) throw new NotLooked('none of kafka.topics is there, or may be looked at')
    return found
  }

  /** The outcome of `work`, its failure as a start has it. */
  async explained<T>(work: () => Promise<T>, brokers: readonly string[] = this.brokers): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw error instanceof NotLooked ? error : toCtrError(error, brokers)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clusters.map((cluster) => cluster.disconnect().catch(() => undefined)))
  }

  async #open(): Promise<Cluster> {
    const none = () => new NotLooked('no broker answers')
    const first = Promise.any(this.brokers.map((broker) => this.connect(broker))).catch(() => Promise.reject(none()))
    const cluster = await inTime(this.#shares.connectionMs, first, none)
    await this.explained(() => cluster.refreshMetadata())
    return cluster
  }

  async #ask(cluster: Cluster): Promise<Known> {
    const { kafka, deadLetter, late } = this.config
    const inputs = kafka.topics.map(({ name }) => name)
    const outputs = [deadLetter.topic, late.topic].filter((topic) => topic !== undefined)
    const asked = await askTopicFacts(cluster, [...new Set([...inputs, ...outputs, OFFSETS_TOPIC])])
    if (asked === undefined) throw new NotLooked('brokers before Kafka 2.8 do not say what a user may do')
    const stateOf = (name: string) => asked.find((topic) => topic.name === name)?.errorCode
    return {
      topics: asked.filter(({ name }) => name !== OFFSETS_TOPIC),
      missing: inputs.filter((name) => stateOf(name) === UNKNOWN_TOPIC),
      denied: inputs.filter((name) => stateOf(name) === TOPIC_AUTHORIZATION_FAILED),
      hasGroups: stateOf(OFFSETS_TOPIC) !== UNKNOWN_TOPIC,
    }
  }
}

/** What one look at the topics gives. */
export interface Known {
  /** Inputs and outputs, those that are not there included. */
  readonly topics: readonly TopicFacts[]
  /** Inputs that are not there. */
  readonly missing: readonly string[]
  /** Inputs that the user may not know of. */
  readonly denied: readonly string[]
  /** Some group has been in this cluster. */
  readonly hasGroups: boolean
}
