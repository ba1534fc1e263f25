/**
 * Apache Kafka from Maven Central, fetched once into a cache folder. The folder appears by one rename, so that test files that start at
 * the same time never see half of it; whoever comes second throws his own copy away.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** The version the tests run against. */
export const KAFKA_VERSION = '4.1.0'
/** In the jars' folder: the broker's classes as the JVM wants them in memory. */
export const ARCHIVE = 'broker.jsa'
const FETCH_MAX_MS = 240_000

const REMEDY =
  'Set KAFKA_BROKERS=host:port, or start Docker, or install Java 17 or newer and Maven ' +
  '(Debian: apt-get install -y openjdk-17-jre-headless maven).'

/** The folder that holds the jars. Throws, naming what to install, when they can't be had. */
export async function kafkaJars(): Promise<string> {
  await demand('java', ['-version'])
  const home = process.env.XDG_CACHE_HOME
  const folder = home === undefined || home === '' ? join(tmpdir(), `ctr-kafka-${KAFKA_VERSION}`) : join(home, `ctr-kafka-${KAFKA_VERSION}`)
  if (existsSync(folder)) return folder
  await demand('mvn', ['-v'])
  await mkdir(dirname(folder), { recursive: true })
  const building = await mkdtemp(`${folder}.`)
  try {
    const pom = join(building, 'pom.xml')
    await writeFile(pom, pomText())
    const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${building}`, '-DincludeScope=runtime']
    await run('mvn', args, { timeout: FETCH_MAX_MS }).catch((cause: unknown) => {
      throw new Error(`Maven could not fetch Apache Kafka ${KAFKA_VERSION} for the tests. ${REMEDY}`, { cause })
    })
    await rename(building, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(building, { recursive: true, force: true })
  }
  return folder
}

async function demand(command: string, args: string[]): Promise<void> {
  await run(command, args).catch((cause: unknown) => {
    throw new Error(`The tests need a real Kafka broker and \`${command}\` does not run here. ${REMEDY}`, { cause })
  })
}

function pomText(): string {
  const dependency = (artifact: string) =>
    `<dependency><groupId>org.apache.kafka</groupId><artifactId>${artifact}</artifactId><version>${KAFKA_VERSION}</version></dependency>`
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>test</groupId><artifactId>kafka</artifactId><version>1</version>
<dependencies>${dependency('kafka_2.13')}${dependency('kafka-tools')}</dependencies></project>
`
}
