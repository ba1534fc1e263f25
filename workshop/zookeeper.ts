/** A real Apache ZooKeeper on the loopback, from Maven Central's jars: what replicated tables of ClickHouse find each other by. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep } from '../src/clock.ts'
import { startProgram } from './child.ts'
import { freePorts } from './free-ports.ts'
import { mavenJars } from './maven-jars.ts'

const VERSION = '3.9.4'
const REMEDY =
  'The tests need a real ZooKeeper: install Java 17 or newer and Maven (Debian: apt-get install -y openjdk-17-jre-headless maven).'
/** It brings no metrics of its own with which it would start. */
const DEPENDENCIES = [
  `org.apache.zookeeper:zookeeper:${VERSION}`,
  'io.dropwizard.metrics:metrics-core:4.1.12.1',
  'org.xerial.snappy:snappy-java:1.1.10.5',
]
const START_MAX_MS = 60_000

/** One that listens on `port`. */
export interface ZooKeeper {
  readonly port: number
  stop(): Promise<void>
}

/** Starts one without any node; its data goes with stop(). */
export async function startZooKeeper(): Promise<ZooKeeper> {
  const jars = await mavenJars({ name: `ctr-zookeeper-${VERSION}`, dependencies: DEPENDENCIES, remedy: REMEDY })
  const folder = mkdtempSync(join(tmpdir(), 'ctr-zookeeper-'))
  const [port = 0] = await freePorts(1)
  const settings = {
    tickTime: 2000,
    dataDir: join(folder, 'data'),
    clientPort: port,
    clientPortAddress: '127.0.0.1',
    'admin.enableServer': false,
  }
  const file = join(folder, 'zoo.cfg')
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
  const flags = ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', join(jars, '*')]
  const server = startProgram('java', [...flags, 'org.apache.zookeeper.server.ZooKeeperServerMain', file], { folder })
  const failed = server.ended.then(({ stderr }) => Promise.reject(new Error(`ZooKeeper does not start: ${stderr.join('\n')}`)))
  failed.catch(() => undefined)
  await Promise.race([listens(port), failed])
  return {
    port,
    async stop() {
      server.process.kill('SIGKILL')
      await server.ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function listens(port: number): Promise<void> {
  for (const end = Date.now() + START_MAX_MS; Date.now() < end; await sleep(50)) {
    const answers = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (answers) return
  }
  throw new Error(`ZooKeeper does not listen on port ${port}`)
}
