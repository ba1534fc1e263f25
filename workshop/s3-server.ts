/**
 * A real S3 server for tests, in this order: the one of CTR_TEST_S3 (http://key:secret@host:port), `versitygw` on the PATH, or versitygw
 * built once by Go into a cache folder, which takes minutes. No way to get one is a failure that says what to install, never a skip.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { sleep } from '../src/clock.ts'
import { fetchedFolder } from './fetched-folder.ts'

const run = promisify(execFile)
const VERSITYGW_VERSION = '1.8.0'
const MODULE = `github.com/versity/versitygw/cmd/versitygw@v${VERSITYGW_VERSION}`
/** Compiled without optimising: tests ask little of it, and it is built anew on every fresh machine. */
const QUICKLY = ['-gcflags=all=-N -l', '-ldflags=-s -w']
const READY_MAX_MS = 10_000
const REMEDY =
  'Set CTR_TEST_S3=http://key:secret@host:port, or put versitygw on the PATH, or install Go 1.25 or newer (https://go.dev/dl/, ' +
  'Debian: apt-get install -y golang) for it to be built.'

/** How long a test file must let its setup take where the server is built first. */
export const S3_START_MAX_MS = 900_000

export interface S3Server {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** A new bucket of a random name. */
  bucket(): Promise<string>
  stop(): Promise<void>
}

/** Resolves when the server answers. */
export async function startS3(): Promise<S3Server> {
  const named = process.env.CTR_TEST_S3
  if (named) {
    const { origin, username, password } = new URL(named)
    return served(origin, decodeURIComponent(username), decodeURIComponent(password), async () => undefined)
  }
  const binary = await versitygw()
  const folder = await mkdtemp(join(tmpdir(), 'ctr-s3-'))
  const port = await freePort()
  const [accessKeyId, secretAccessKey] = ['ctr-test', randomUUID()]
  const env = { ...process.env, ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey }
  const words = ['--quiet', '--port', `127.0.0.1:${port}`, '--health', '/healthz', 'posix', folder]
  const child = spawn(binary, words, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const endWithUs = () => child.kill('SIGKILL')
  process.on('exit', endWithUs)
  const endpoint = `http://127.0.0.1:${port}`
  const stop = async () => {
    process.off('exit', endWithUs)
    await end(child)
    await rm(folder, { recursive: true, force: true })
  }
  await answers(`${endpoint}/healthz`, child).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return served(endpoint, accessKeyId, secretAccessKey, stop)
}

function served(endpoint: string, accessKeyId: string, secretAccessKey: string, stop: () => Promise<void>): S3Server {
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
  return {
    endpoint,
    accessKeyId,
    secretAccessKey,
    bucket: async () => {
      const name = `ctr-${randomUUID()}`
      await client.send(new CreateBucketCommand({ Bucket: name }))
      return name
    },
    stop: async () => {
      client.destroy()
      await stop()
    },
  }
}

async function versitygw(): Promise<string> {
  if (await works('versitygw', ['--version'])) return 'versitygw'
  const folder = await fetchedFolder(`ctr-versitygw-${VERSITYGW_VERSION}`, async (building) => {
    if (!(await works('go', ['version']))) throw new Error(`The tests need a real S3 server, and \`go\` does not run here. ${REMEDY}`)
    const env = { ...process.env, CGO_ENABLED: '0', GOBIN: building }
    await run('go', ['install', ...QUICKLY, MODULE], { env, timeout: S3_START_MAX_MS - READY_MAX_MS }).catch((cause: unknown) => {
      throw new Error(`Go could not build ${MODULE} for the tests. ${REMEDY}`, { cause })
    })
  })
  return join(folder, 'versitygw')
}

async function works(command: string, words: string[]): Promise<boolean> {
  return await run(command, words).then(
    () => true,
    () => false,
  )
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  const errors: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk))
  for (const giveUpAt = Date.now() + READY_MAX_MS; Date.now() < giveUpAt; await sleep(50)) {
    if (child.exitCode !== null) break
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok) return
  }
  throw new Error(`versitygw does not come up: ${Buffer.concat(errors).toString()}`)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const forced = setTimeout(() => child.kill('SIGKILL'), 5000)
  await exited
  clearTimeout(forced)
}
