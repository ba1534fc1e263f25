/**
 * A real schema registry for tests: Apicurio Registry from Maven Central, with the API of Confluent's. It keeps what is registered in a
 * file, so that it can be ended and started again. No way to get one is a failure that says what to install.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep } from '../src/clock.ts'
import { endWithUs } from './child.ts'
import { freePorts } from './free-ports.ts'
import { mavenArchive } from './maven-jars.ts'

/** The last that runs on Java 17. */
const VERSION = '3.0.9'
const READY_MAX_MS = 60_000
const END_MAX_MS = 10_000
const POLL_MS = 50

const REMEDY =
  'The tests need a real schema registry: install Java 17 or newer and Maven (Debian: apt-get install -y openjdk-17-jre-headless maven).'

/** A schema that another one refers to. */
export interface Referred {
  readonly name: string
  readonly subject: string
  readonly version: number
}

export interface Apicurio extends AsyncDisposable {
  /** Without a path, for a proxy. */
  readonly origin: string
  /** Of the Confluent API. */
  readonly url: string
  /** Gives the id. */
  register(subject: string, schema: string, type?: 'AVRO' | 'JSON' | 'PROTOBUF', references?: readonly Referred[]): Promise<number>
  /** SIGTERM; what was registered stays. */
  stop(): Promise<void>
  /** On the same port, with what was registered. */
  start(): Promise<void>
}

/** Resolves when it answers. */
export async function startApicurio(): Promise<Apicurio> {
  const artifact = `io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`
  const home = await mavenArchive({ name: `ctr-apicurio-${VERSION}`, artifact, remedy: REMEDY })
  const [port] = await freePorts(1)
  const folder = await mkdtemp(join(tmpdir(), 'ctr-registry-'))
  const origin = `http://127.0.0.1:${port}`
  const url = `${origin}/apis/ccompat/v7`
  let child: ChildProcess | undefined
  const start = async () => {
    child = run(home, { port: String(port), data: join(folder, 'registry') })
    await answers(child, `${url}/subjects`)
  }
  const end = async (signal: NodeJS.Signals) => {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    const exited = once(ending, 'exit')
    ending.kill(signal)
    const forced = setTimeout(() => ending.kill('SIGKILL'), END_MAX_MS)
    await exited
    clearTimeout(forced)
  }
  await start()
  return {
    origin,
    url,
    start,
    stop: () => end('SIGTERM'),
    register: async (subject, schema, schemaType = 'AVRO', references = []) => {
      const response = await fetch(`${url}/subjects/${encodeURIComponent(subject)}/versions`, {
        method: 'POST',
        headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
        body: JSON.stringify({ schema, schemaType, references }),
      })
      if (!response.ok) throw new Error(`the registry refuses ${subject}: ${await response.text()}`)
      return ((await response.json()) as { id: number }).id
    },
    [Symbol.asyncDispose]: async () => {
      await end('SIGTERM')
      await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

/** Compiled quickly rather than well, for it lives for seconds. */
function run(home: string, { port, data }: { readonly port: string; readonly data: string }): ChildProcess {
  const flags = ['-Xmx512m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
  const child = spawn('java', [...flags, '-jar', `apicurio-registry-app-${VERSION}-runner.jar`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: home,
    env: {
      ...process.env,
      QUARKUS_HTTP_HOST: '127.0.0.1',
      QUARKUS_HTTP_PORT: port,
      APICURIO_DATASOURCE_URL: `jdbc:h2:file:${data}`,
    },
  })
  endWithUs(child)
  return child
}

async function answers(child: ChildProcess, url: string): Promise<void> {
  const output: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => output.length < 200 && output.push(chunk))
  const giveUpAt = performance.now() + READY_MAX_MS
  for (;;) {
    const response = await fetch(url).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok) return
    if (child.exitCode !== null || performance.now() > giveUpAt) {
      throw new Error(`the test registry does not come up: ${Buffer.concat(output).toString()}`)
    }
    await sleep(POLL_MS)
  }
}
