/**
 * Three real Kafka brokers that are a cluster: each is broker and controller, as small installations run them, so that a broker that is
 * killed takes a voter of the quorum with it. Every topic, those of groups and transactions too, has three replicas, of which two must have
 * what is acknowledged. Timeouts are Kafka's own. From Maven Central's jars, with heaps of 256 MiB.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Admin } from 'kafkajs'
import { sleep } from '../src/clock.ts'
import { freePorts } from './free-ports.ts'
import { electPreferredLeader, findCoordinator } from './kafka-asked.ts'
import { plainClient } from './kafka-harness.ts'
import { ARCHIVE, kafkaJars } from './kafka-jars.ts'
import { formatStorage, KafkaProcess, type KafkaProgram, QUICK } from './kafka-process.ts'

const BROKERS = 3
/** Two of them have the quorum, and what is acknowledged. */
const IN_SYNC_MIN = 2
const FLAGS = ['-XX:+UseSerialGC']
const HEAP = ['-Xms128m', '-Xmx256m']
const WHOLE_MAX_MS = 90_000
const POLL_MS = 200

/** A partition as the cluster knows it; ids of brokers. */
export interface PartitionState {
  readonly topic: string
  readonly partition: number
  readonly leader: number
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
}

export interface KafkaCluster {
  readonly brokers: readonly string[]
  /** Ids of the brokers, from 1 on. */
  readonly ids: readonly number[]
  /** SIGKILL; its disk stays. */
  kill(id: number): Promise<void>
  /** SIGTERM, upon which it hands over what it leads. */
  terminate(id: number): Promise<void>
  /** Resolves when it answers; its partitions may still catch up. */
  start(id: number): Promise<void>
  partitions(topics: readonly string[]): Promise<PartitionState[]>
  /** Resolves when all brokers have all that these topics hold, and each partition a leader; rejects when they don't. */
  whole(topics: readonly string[]): Promise<void>
  /** Makes another broker that is in sync lead the partition; resolves with its id. */
  moveLeader(topic: string, partition: number): Promise<number>
  /** Which broker coordinates the group. */
  coordinator(groupId: string): Promise<number>
  /** Ends all and removes their disks. */
  stop(): Promise<void>
}

/** Resolves when all three answer. `properties` are more lines for server.properties. */
export async function startCluster(properties: Readonly<Record<string, string>> = {}): Promise<KafkaCluster> {
  const jars = await kafkaJars()
  const archive = join(jars, ARCHIVE)
  const ready = existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : []
  const folder = await mkdtemp(join(tmpdir(), 'ctr-cluster-'))
  const ports = await freePorts(2 * BROKERS)
  const ids = Array.from({ length: BROKERS }, (_, i) => i + 1)
  const brokers = ids.map((id) => `127.0.0.1:${ports[id - 1]}`)
  const voters = ids.map((id) => `${id}@127.0.0.1:${ports[BROKERS + id - 1]}`)
  const processes = new Map<number, KafkaProcess>()
  for (const id of ids) {
    const config = join(folder, `${id}.properties`)
    const own = { 'node.id': String(id), 'log.dirs': join(folder, String(id)), ...placesOf(brokers[id - 1]!, voters, id) }
    await writeFile(config, linesOf({ ...COMMON, ...own, ...properties }))
    const program: KafkaProgram = { folder, config, jars, flags: [...FLAGS, ...ready], brokerFlags: HEAP, brokers: [brokers[id - 1]!] }
    await formatStorage({ ...program, flags: [...QUICK, ...ready] }, CLUSTER_ID, [])
    processes.set(id, new KafkaProcess(program))
  }
  const processOf = (id: number) => {
    const found = processes.get(id)
    if (found === undefined) throw new Error(`broker ${id} is none of ${ids.join()}`)
    return found
  }
  const stop = async () => {
    // A quorum that has gone never lets the last one end in peace.
    await Promise.all([...processes.values()].map((one) => one.end('SIGKILL')))
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
  try {
    await Promise.all([...processes.values()].map((one) => one.start()))
  } catch (error) {
    await stop()
    throw error
  }
  const cluster: KafkaCluster = {
    brokers,
    ids,
    kill: (id) => processOf(id).end('SIGKILL'),
    terminate: (id) => processOf(id).end('SIGTERM'),
    start: (id) => processOf(id).start(),
    partitions: (topics) => withAdmin(brokers, (admin) => partitionsOf(admin, topics)),
    whole: (topics) => withAdmin(brokers, (admin) => untilWhole(admin, topics)),
    moveLeader: (topic, partition) => withAdmin(brokers, (admin) => moveLeader(admin, brokers, topic, partition)),
    coordinator: (groupId) => findCoordinator(brokers, groupId),
    stop,
  }
  return cluster
}

const CLUSTER_ID = Buffer.from('ctr-test-cluster').toString('base64url')

/** But for these everything is as Kafka has it. */
const COMMON: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'controller.listener.names': 'CONTROLLER',
  'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
  'inter.broker.listener.name': 'PLAINTEXT',
  'log.retention.ms': '-1',
  'auto.create.topics.enable': 'false',
  'default.replication.factor': String(BROKERS),
  'min.insync.replicas': String(IN_SYNC_MIN),
  'offsets.topic.replication.factor': String(BROKERS),
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': String(BROKERS),
  'transaction.state.log.min.isr': String(IN_SYNC_MIN),
  'transaction.state.log.num.partitions': '4',
}

function placesOf(broker: string, voters: readonly string[], id: number): Record<string, string> {
  const controller = voters[id - 1]!.slice(voters[id - 1]!.indexOf('@') + 1)
  return {
    'controller.quorum.voters': voters.join(),
    listeners: `PLAINTEXT://${broker},CONTROLLER://${controller}`,
    'advertised.listeners': `PLAINTEXT://${broker}`,
  }
}

function linesOf(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

async function withAdmin<T>(brokers: readonly string[], body: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = plainClient([...brokers]).admin()
  await admin.connect()
  try {
    return await body(admin)
  } finally {
    await admin.disconnect().catch(() => {})
  }
}

async function partitionsOf(admin: Admin, names: readonly string[]): Promise<PartitionState[]> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [...names] })
  return topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionId, leader, replicas, isr }) => ({ topic: name, partition: partitionId, leader, replicas, inSync: isr })),
  )
}

async function untilWhole(admin: Admin, topics: readonly string[]): Promise<void> {
  for (const giveUpAt = performance.now() + WHOLE_MAX_MS; ; await sleep(POLL_MS)) {
    const lacking = await partitionsOf(admin, topics).then(
      (all) => all.filter(({ leader, inSync }) => leader < 0 || inSync.length < BROKERS).map((one) => `${one.topic}/${one.partition}`),
      (error: unknown) => [String(error)],
    )
    if (lacking.length === 0) return
    if (performance.now() > giveUpAt) throw new Error(`not in sync within ${WHOLE_MAX_MS / 1000} s: ${lacking.join(', ')}`)
  }
}

async function moveLeader(admin: Admin, brokers: readonly string[], topic: string, partition: number): Promise<number> {
  const found = (await partitionsOf(admin, [topic])).find((one) => one.partition === partition)
  const next = found?.inSync.find((id) => id !== found.leader)
  if (found === undefined || next === undefined) throw new Error(`${topic}/${partition} has nobody else in sync to lead it`)
  const replicas = [next, ...found.replicas.filter((id) => id !== next)]
  await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment: [{ partition, replicas }] }] })
  for (const giveUpAt = performance.now() + WHOLE_MAX_MS; ; await sleep(POLL_MS)) {
    // Until the reassignment is through, the preferred leader is the one before.
    await electPreferredLeader(brokers, topic, partition)
    const now = (await partitionsOf(admin, [topic])).find((one) => one.partition === partition)
    if (now?.leader === next) return next
    if (performance.now() > giveUpAt) throw new Error(`${topic}/${partition} is not led by broker ${next}, but by ${now?.leader}`)
  }
}
