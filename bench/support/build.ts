/**
 * Builds the peers that are not TypeScript, into a cache folder outside of the repository: once for each state of their sources. A folder
 * appears by one rename, so that nobody sees half of it. Throws with the reason when something is not there to build or run them with.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repositoryPath } from '../../workshop/child.ts'
import { fetchedFolder } from '../../workshop/fetched-folder.ts'

const run = promisify(execFile)
const BUILD_MAX_MS = 240_000

/** What starts a program; its own arguments follow. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
}

/** Modules that Flink and Kryo look into. */
const OPENED = ['java.base/java.lang', 'java.base/java.util', 'java.base/java.time', 'java.base/java.nio']
const HEAP = ['-Xms1g', '-Xmx2g']

/** The Java peer in bench/peers/NAME with its class. */
export async function buildJava(name: string, className: string): Promise<Program> {
  await demand('java', ['-version'], 'Java 17 or newer')
  const folder = repositoryPath(`bench/peers/${name}`)
  const files = readdirSync(folder).map((file) => join(folder, file))
  const built = await cached(`ctr-peer-${name}`, files, async (target) => {
    await demand('mvn', ['-v'], 'Maven')
    const args = ['-q', '-B', '-f', join(folder, 'pom.xml'), 'package', `-Dctr.build=${target}`]
    await run('mvn', args, { timeout: BUILD_MAX_MS }).catch((cause: Error & { stdout?: string }) => {
      throw new Error(`Maven does not build it: ${firstLine(cause.stdout || cause.message)}`, { cause })
    })
  })
  const opens = OPENED.flatMap((module) => ['--add-opens', `${module}=ALL-UNNAMED`])
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'
  return { command: 'java', args: [...HEAP, ...opens, quiet, '-cp', join(built, 'lib', '*'), className] }
}

/** The consumer of librdkafka. */
export async function buildLibrdkafka(): Promise<Program> {
  const source = repositoryPath('bench/peers/librdkafka.c')
  const wanted = 'librdkafka-dev, a C compiler and pkg-config'
  const { stdout } = await demand('pkg-config', ['--cflags', '--libs', 'rdkafka'], wanted)
  const built = await cached('ctr-peer-librdkafka', [source], async (target) => {
    const args = ['-O2', '-o', join(target, 'librdkafka'), source, ...stdout.trim().split(/\s+/)]
    await run('cc', args, { timeout: BUILD_MAX_MS }).catch((cause: Error) => {
      throw new Error(`it takes ${wanted}: ${firstLine(cause.message)}`, { cause })
    })
  })
  return { command: join(built, 'librdkafka'), args: [] }
}

async function cached(name: string, sources: readonly string[], build: (target: string) => Promise<void>): Promise<string> {
  const hash = createHash('sha256')
  for (const file of sources.toSorted()) hash.update(readFileSync(file))
  return fetchedFolder(`${name}-${hash.digest('hex').slice(0, 12)}`, build)
}

async function demand(command: string, args: readonly string[], what: string): Promise<{ stdout: string }> {
  return run(command, [...args]).catch((cause: unknown) => {
    throw new Error(`it takes ${what}, and \`${command}\` does not answer`, { cause })
  })
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? ''
}
