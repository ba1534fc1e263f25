/** Programs for the JVM from Maven Central, each fetched once into a cache folder of its own. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fetchedFolder } from './fetched-folder.ts'

const run = promisify(execFile)
const FETCH_MAX_MS = 240_000

/** What to fetch. */
export interface Jars {
  /** Names the folder; to be changed with what is in it. */
  readonly name: string
  /** Each as `group:artifact:version`; what they need comes with them. */
  readonly dependencies: readonly string[]
  /** What it is for, and what to install when it can't be had. */
  readonly remedy: string
}

/** The folder that holds the jars. Throws, naming what to install, when they can't be had. */
export async function mavenJars({ name, dependencies, remedy }: Jars): Promise<string> {
  await demand('java', ['-version'], remedy)
  return fetchedFolder(name, async (folder) => {
    await demand('mvn', ['-v'], remedy)
    const pom = join(folder, 'pom.xml')
    await writeFile(pom, pomText(name, dependencies))
    const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`, '-DincludeScope=runtime']
    await run('mvn', args, { timeout: FETCH_MAX_MS }).catch((cause: unknown) => {
      throw new Error(`Maven could not fetch ${name}. ${remedy}`, { cause })
    })
  })
}

/** What to unpack. */
export interface Archive {
  /** Names the folder; to be changed with what is in it. */
  readonly name: string
  /** `group:artifact:version:type:classifier`. */
  readonly artifact: string
  readonly remedy: string
}

/** The folder into which an archive is unpacked. Throws, naming what to install, when it can't be had. */
export async function mavenArchive({ name, artifact, remedy }: Archive): Promise<string> {
  await demand('java', ['-version'], remedy)
  return fetchedFolder(name, async (folder) => {
    await demand('mvn', ['-v'], remedy)
    const args = ['-q', '-B', 'dependency:unpack', `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`]
    await run('mvn', args, { timeout: FETCH_MAX_MS, cwd: folder }).catch((cause: unknown) => {
      throw new Error(`Maven could not fetch ${name}. ${remedy}`, { cause })
    })
  })
}

async function demand(command: string, args: string[], remedy: string): Promise<void> {
  await run(command, args).catch((cause: unknown) => {
    throw new Error(`\`${command}\` does not run here. ${remedy}`, { cause })
  })
}

function pomText(name: string, dependencies: readonly string[]): string {
  const texts = dependencies.map((dependency) => {
    const [group, artifact, version] = dependency.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>test</groupId><artifactId>${name}</artifactId><version>1</version>
<dependencies>${texts.join('')}</dependencies></project>
`
}
