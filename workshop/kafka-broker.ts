/**
 * A real Apache Kafka broker for tests. In this order: the one that KAFKA_BROKERS names, Docker through testcontainers, or a KRaft broker
 * in a child process from Maven Central's jars. No way to get one is a failure that says what to install, never a skip.
 *
 * A broker that a test restarts, kills or speaks SASL_SSL with is its own (`own: true` or `sasl: true`): KAFKA_BROKERS doesn't serve for
 * that.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import kafkajs from 'kafkajs'
import { mendKafkajs } from '../src/kafka/kafkajs-adapter.ts'
import { endWithUs } from './child.ts'
import { dockerAnswers } from './docker.ts'
import { ARCHIVE, KAFKA_VERSION, kafkaJars } from './kafka-jars.ts'
import { createAuthority } from './tls.ts'

const run = promisify(execFile)
const READY_MAX_MS = 60_000
const POLL_MS = 100
const END_MAX_MS = 30_000

/** Users of the SASL_SSL listener: one known to PLAIN, one to both SCRAM mechanisms. */
export const SASL_USERS = {
  plain: { username: 'ann', password: 'plain-secret' },
  scram: { username: 'bob', password: 'scram-secret' },
}

export interface BrokerOptions {
  /** A broker of the test's own, which it may kill and restart. */
  readonly own?: boolean
  /** A SASL_SSL listener beside the plain one; implies own. */
  readonly sasl?: boolean
  /** A second plain listener that advertises this port of the loopback, where a proxy leads to `behindProxy`; implies own. */
  readonly proxyPort?: number
  /** It has minutes to work, under load: its code is worth compiling well. Others come up as quickly as they can. */
  readonly lasting?: boolean
  /** More lines for server.properties. */
  readonly properties?: Record<string, string>
}

export interface Broker {
  readonly brokers: string[]
  /** Empty unless asked for. */
  readonly saslBrokers: string[]
  readonly caPem: string
  /** Port of the listener for a proxy; 0 unless asked for. */
  readonly behindProxy: number
  /** SIGTERM, wait, remove the data. */
  stop(): Promise<void>
  /** SIGKILL; the data stays. */
  kill(): Promise<void>
  /** Ends the broker if it runs (SIGTERM), then starts it again on the same ports and data. */
  restart(): Promise<void>
  /** The bytes on disk of a partition's first segment: record batches, back to back. */
  segment(topic: string, partition: number): Promise<Buffer>
  /** Writes over the bytes at `at` of that segment, behind the broker's back. */
  damage(topic: string, partition: number, at: number, bytes: Uint8Array): Promise<void>
}

/** Resolves when the broker answers. */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const named = process.env.KAFKA_BROKERS
  if (named && !options.own && !options.sasl && !options.proxyPort && !options.properties) return namedBroker(named.split(','))
  const [plainPort, controllerPort, saslPort, proxiedPort] = await freePorts(4)
  const ports = { plain: plainPort!, controller: controllerPort!, sasl: saslPort!, proxied: proxiedPort! }
  const authority = createAuthority()
  const files = { caPem: authority.caPem, keystore: keystore(authority) }
  return (await dockerAnswers()) ? dockerBroker(options, ports, files) : jarBroker(options, ports, files)
}

/** For a JVM that lives for seconds: compiled at once and once only. Loaded classes come ready from an archive, where there is one. */
const QUICK = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']

/**
 * Flags by which a JVM finds the broker's classes as it wants them in memory, which saves two thirds of the CPU of a start. The archive is
 * made once, by a broker that does nothing else; without it a start only takes longer.
 */
async function archiveFlags(jars: string, ports: Ports, files: Files): Promise<string[]> {
  const archive = join(jars, ARCHIVE)
  if (!existsSync(archive)) {
    const folder = await mkdtemp(join(tmpdir(), 'ctr-broker-'))
    const made = join(folder, ARCHIVE)
    const broker = await runJars({}, ports, files, jars, QUICK, [`-XX:ArchiveClassesAtExit=${made}`])
    await broker.stop()
    await rename(made, archive).catch(() => undefined)
    await rm(folder, { recursive: true, force: true })
  }
  return existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : []
}

interface Ports {
  plain: number
  controller: number
  sasl: number
  proxied: number
}

interface Files {
  caPem: string
  keystore: string
}

function keystore(authority: ReturnType<typeof createAuthority>): string {
  const { cert, key } = authority.issue('ctr test broker')
  return key + cert + authority.caPem
}

async function namedBroker(brokers: string[]): Promise<Broker> {
  await answers(brokers)
  const refuse = () => Promise.reject(new Error('KAFKA_BROKERS names a broker that is not the tests own: ask startBroker for {own: true}'))
  return {
    brokers,
    saslBrokers: [],
    caPem: '',
    behindProxy: 0,
    stop: async () => {},
    kill: refuse,
    restart: refuse,
    segment: refuse,
    damage: refuse,
  }
}

async function jarBroker(options: BrokerOptions, ports: Ports, files: Files): Promise<Broker> {
  const jars = await kafkaJars()
  const flags = options.lasting === true ? ['-XX:+UseG1GC'] : [...QUICK, ...(await archiveFlags(jars, ports, files))]
  return runJars(options, ports, files, jars, flags)
}

/** `flags` are of every JVM, `more` of the broker's own. */
async function runJars(
  options: BrokerOptions,
  ports: Ports,
  files: Files,
  jars: string,
  flags: readonly string[],
  more: readonly string[] = [],
): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), 'ctr-broker-'))
  const config = join(folder, 'server.properties')
  const keystorePath = join(folder, 'keystore.pem')
  await writeFile(keystorePath, files.keystore, { mode: 0o600 })
  await writeFile(config, propertiesText(options, ports, { host: '127.0.0.1', data: join(folder, 'data'), keystorePath }))
  const classes = ['-cp', `${jars}/*`]
  const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId(), '-c', config, ...scramArgs()]
  await run('java', [...flags, ...classes, ...format])

  let child: ChildProcess | undefined
  const brokers = [`127.0.0.1:${ports.plain}`]
  const end = async (signal: NodeJS.Signals) => {
    const ending = child
    child = undefined
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
    const exited = once(ending, 'exit')
    ending.kill(signal)
    const forced = setTimeout(() => ending.kill('SIGKILL'), END_MAX_MS)
    await exited
    clearTimeout(forced)
  }
  const start = async () => {
    const output: Buffer[] = []
    const started = spawn('java', ['-Xms256m', '-Xmx1g', ...flags, ...more, ...classes, 'kafka.Kafka', config], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: folder,
    })
    child = started
    endWithUs(started)
    for (const stream of [started.stdout, started.stderr]) stream.on('data', (chunk: Buffer) => output.length < 200 && output.push(chunk))
    const died = once(started, 'exit').then(() => {
      if (child === started) throw new Error(`the test broker died at start: ${Buffer.concat(output).toString()}`)
    })
    died.catch(() => {})
    await Promise.race([answers(brokers), died])
  }
  await start()
  return {
    brokers,
    saslBrokers: options.sasl ? [`localhost:${ports.sasl}`] : [],
    caPem: files.caPem,
    behindProxy: options.proxyPort === undefined ? 0 : ports.proxied,
    kill: () => end('SIGKILL'),
    restart: async () => {
      await end('SIGTERM')
      await start()
    },
    stop: async () => {
      await end('SIGTERM')
      await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    },
    segment: (topic, partition) => readFile(segmentPath(join(folder, 'data'), topic, partition)),
    damage: async (topic, partition, at, bytes) => {
      const file = await open(segmentPath(join(folder, 'data'), topic, partition), 'r+')
      await file.write(bytes, 0, bytes.length, at)
      await file.close()
    },
  }
}

/** The same ports inside and outside the container, so that what the broker advertises is what a client reaches. */
async function dockerBroker(options: BrokerOptions, ports: Ports, files: Files): Promise<Broker> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const config = propertiesText(options, ports, { host: '0.0.0.0', data: '/tmp/ctr/data', keystorePath: '/tmp/ctr/keystore.pem' })
  const format = ['/opt/kafka/bin/kafka-storage.sh', 'format', '--ignore-formatted', '-t', clusterId(), '-c', '/tmp/ctr/server.properties']
  const formatting = [...format, ...scramArgs().map((arg) => `'${arg}'`)].join(' ')
  const command = `${formatting} && exec /opt/kafka/bin/kafka-server-start.sh /tmp/ctr/server.properties`
  const mapped = [ports.plain, ports.sasl, ports.proxied].map((port) => ({ container: port, host: port }))
  const container = await new GenericContainer(`apache/kafka:${KAFKA_VERSION}`)
    .withEntrypoint(['/bin/bash', '-c'])
    .withCommand([command])
    .withExposedPorts(...mapped)
    .withCopyContentToContainer([
      { content: config, target: '/tmp/ctr/server.properties', mode: 0o644 },
      { content: files.keystore, target: '/tmp/ctr/keystore.pem', mode: 0o644 },
    ])
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .start()
  const brokers = [`127.0.0.1:${ports.plain}`]
  const docker = (verb: string) => run('docker', [verb, container.getId()])
  await answers(brokers)
  return {
    brokers,
    saslBrokers: options.sasl ? [`localhost:${ports.sasl}`] : [],
    caPem: files.caPem,
    behindProxy: options.proxyPort === undefined ? 0 : ports.proxied,
    kill: async () => {
      await docker('kill')
    },
    restart: async () => {
      await docker('restart')
      await answers(brokers)
    },
    stop: async () => {
      await container.stop()
    },
    segment: async (topic, partition) => {
      const { stdout } = await run('docker', ['exec', container.getId(), 'base64', segmentPath('/tmp/ctr/data', topic, partition)], {
        maxBuffer: 2 ** 30,
      })
      return Buffer.from(stdout, 'base64')
    },
    damage: async (topic, partition, at, bytes) => {
      const octal = [...bytes].map((byte) => `\\0${byte.toString(8).padStart(3, '0')}`).join('')
      const command = `printf '%b' '${octal}' | dd of=${segmentPath('/tmp/ctr/data', topic, partition)} bs=1 seek=${at} conv=notrunc`
      await run('docker', ['exec', container.getId(), 'sh', '-c', command])
    },
  }
}

function segmentPath(data: string, topic: string, partition: number): string {
  return join(data, `${topic}-${partition}`, '00000000000000000000.log')
}

function propertiesText(options: BrokerOptions, ports: Ports, place: { host: string; data: string; keystorePath: string }): string {
  const jaas = 'org.apache.kafka.common.security'
  const { plain } = SASL_USERS
  const plainUser = `user_${plain.username}="${plain.password}"`
  const sasl = options.sasl
    ? {
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': place.keystorePath,
        'listener.name.sasl_ssl.plain.sasl.jaas.config': `${jaas}.plain.PlainLoginModule required ${plainUser};`,
        'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config': `${jaas}.scram.ScramLoginModule required;`,
        'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${jaas}.scram.ScramLoginModule required;`,
      }
    : {}
  const saslListener = (host: string) => (options.sasl ? `,SASL_SSL://${host}:${ports.sasl}` : '')
  const proxied = (host: string, port: number) => (options.proxyPort === undefined ? '' : `,PROXIED://${host}:${port}`)
  const advertised = `PLAINTEXT://127.0.0.1:${ports.plain}${saslListener('localhost')}${proxied('127.0.0.1', options.proxyPort ?? 0)}`
  const listeners = `PLAINTEXT://${place.host}:${ports.plain},CONTROLLER://127.0.0.1:${ports.controller}`
  const all = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `${listeners}${saslListener(place.host)}${proxied(place.host, ports.proxied)}`,
    'advertised.listeners': advertised,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SASL_SSL:SASL_SSL',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': place.data,
    'log.retention.ms': '-1',
    'log.message.timestamp.after.max.ms': '9223372036854775807',
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    ...sasl,
    ...options.properties,
  }
  return Object.entries(all)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

function scramArgs(): string[] {
  const { username, password } = SASL_USERS.scram
  return [256, 512].flatMap((bits) => ['--add-scram', `SCRAM-SHA-${bits}=[name=${username},password=${password}]`])
}

function clusterId(): string {
  return Buffer.from('ctr-test-cluster').toString('base64url')
}

/** Resolves when a client gets the cluster's description, rejects after READY_MAX_MS. */
async function answers(brokers: string[]): Promise<void> {
  mendKafkajs()
  const giveUpAt = performance.now() + READY_MAX_MS
  for (;;) {
    const client = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING, retry: { retries: 0 }, connectionTimeout: 1_000 })
    const admin = client.admin()
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

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
