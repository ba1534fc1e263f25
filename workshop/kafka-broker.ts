/**
 * A real Apache Kafka broker for tests. In this order: the one that KAFKA_BROKERS names, Docker through testcontainers, or a KRaft broker
 * in a child process from Maven Central's jars. No way to get one is a failure that says what to install, never a skip.
 *
 * A broker that a test restarts, kills or speaks SASL_SSL with is its own (`own: true` or `sasl: true`): KAFKA_BROKERS doesn't serve for
 * that.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { dockerAnswers } from './docker.ts'
import { freePorts } from './free-ports.ts'
import { KAFKA_IMAGE } from './images.ts'
import { ARCHIVE, kafkaJars } from './kafka-jars.ts'
import { answers, formatStorage, KafkaProcess, QUICK } from './kafka-process.ts'
import { createAuthority } from './tls.ts'

const run = promisify(execFile)

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
  const brokers = [`127.0.0.1:${ports.plain}`]
  const program = { folder, config, jars, flags, brokerFlags: ['-Xms256m', '-Xmx1g', ...more], brokers }
  await formatStorage(program, clusterId(), scramArgs())
  const broker = new KafkaProcess(program)
  await broker.start()
  return {
    brokers,
    saslBrokers: options.sasl ? [`localhost:${ports.sasl}`] : [],
    caPem: files.caPem,
    behindProxy: options.proxyPort === undefined ? 0 : ports.proxied,
    kill: () => broker.end('SIGKILL'),
    restart: async () => {
      await broker.end('SIGTERM')
      await broker.start()
    },
    stop: async () => {
      await broker.end('SIGTERM')
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
  const container = await new GenericContainer(KAFKA_IMAGE)
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
