/** A Kafka broker as a JVM that is started, killed and started again over one folder. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import kafkajs from 'kafkajs'
import { mendKafkajs } from '../src/kafka/kafkajs-adapter.ts'
import { endWithUs } from './child.ts'

const READY_MAX_MS = 60_000
const POLL_MS = 100
const END_MAX_MS = 30_000
const OUTPUT_CHUNKS_MAX = 200

/** For a JVM that lives for seconds: compiled at once and once only. */
export const QUICK: readonly string[] = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']

/** How a broker is run: its files are in `folder`, its server.properties is `config`. */
export interface KafkaProgram {
  readonly folder: string
  readonly config: string
  /** Of Kafka's jars. */
  readonly jars: string
  /** Of every JVM. */
  readonly flags: readonly string[]
  /** Of the broker's JVM alone; with the heap. */
  readonly brokerFlags: readonly string[]
  /** Who answers once it has started. */
  readonly brokers: readonly string[]
}

/** Makes the broker's folder ready, once. `args` follow those that name the cluster and the configuration. */
export async function formatStorage({ jars, flags, config }: KafkaProgram, clusterId: string, args: readonly string[]): Promise<void> {
  const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', config, ...args]
  await promisify(execFile)('java', [...flags, '-cp', `${jars}/*`, ...format])
}

/** A broker's process. */
export class KafkaProcess {
  readonly #program: KafkaProgram
  #child: ChildProcess | undefined

  constructor(program: KafkaProgram) {
    this.#program = program
  }

  /** Resolves when it answers; rejects, with what it said, when it dies before. */
  async start(): Promise<void> {
    const { folder, config, jars, flags, brokerFlags, brokers } = this.#program
    const output: Buffer[] = []
    const args = [...flags, ...brokerFlags, '-cp', `${jars}/*`, 'kafka.Kafka', config]
    const started = spawn('java', args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: folder })
    this.#child = started
    endWithUs(started)
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (chunk: Buffer) => output.length < OUTPUT_CHUNKS_MAX && output.push(chunk))
    }
    const died = once(started, 'exit').then(() => {
      if (this.#child === started) throw new Error(`the test broker died at start: ${Buffer.concat(output).toString()}`)
    })
    died.catch(() => {})
    await Promise.race([answers(brokers), died])
  }

  /** Resolves when it is gone; at once when it does not run. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const ending = this.#child
    this.#child = undefined
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
    const exited = once(ending, 'exit')
    ending.kill(signal)
    const forced = setTimeout(() => ending.kill('SIGKILL'), END_MAX_MS)
    await exited
    clearTimeout(forced)
  }
}

/** Resolves when a client gets the cluster's description, rejects after READY_MAX_MS. */
export async function answers(brokers: readonly string[]): Promise<void> {
  mendKafkajs()
  const giveUpAt = performance.now() + READY_MAX_MS
  for (;;) {
    const options = { brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING, retry: { retries: 0 }, connectionTimeout: 1_000 }
    const admin = new kafkajs.Kafka(options).admin()
    try {
      await admin.connect()
      const { brokers: known } = await admin.describeCluster()
      if (known.length > 0) return
    } catch (error) {
      if (performance.now() > giveUpAt) throw new Error(`no Kafka broker answers at ${brokers.join()}`, { cause: error })
    } finally {
      await admin.disconnect().catch(() => {})
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
