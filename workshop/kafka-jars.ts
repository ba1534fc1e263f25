/** Apache Kafka from Maven Central, fetched once into a cache folder. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fetchedFolder } from './fetched-folder.ts'

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
  return fetchedFolder(`ctr-kafka-${KAFKA_VERSION}`, async (folder) => {
    await demand('mvn', ['-v'])
    const pom = join(folder, 'pom.xml')
    await writeFile(pom, pomText())
    const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`, '-DincludeScope=runtime']
    await run('mvn', args, { timeout: FETCH_MAX_MS }).catch((cause: unknown) => {
      throw new Error(`Maven could not fetch Apache Kafka ${KAFKA_VERSION} for the tests. ${REMEDY}`, { cause })
    })
  })
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
