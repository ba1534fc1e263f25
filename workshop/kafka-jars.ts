/** Apache Kafka from Maven Central, fetched once into a cache folder. */
import { mavenJars } from './maven-jars.ts'

/** The version the tests run against. */
const KAFKA_VERSION = '4.1.0'
/** In the jars' folder: the broker's classes as the JVM wants them in memory. */
export const ARCHIVE = 'broker.jsa'

const REMEDY =
  'The tests need a real Kafka broker: set KAFKA_BROKERS=host:port, or start Docker, or install Java 17 or newer and Maven ' +
  '(Debian: apt-get install -y openjdk-17-jre-headless maven).'

/** The folder that holds the jars. Throws, naming what to install, when they can't be had. */
export async function kafkaJars(): Promise<string> {
  const dependencies = ['kafka_2.13', 'kafka-tools'].map((artifact) => `org.apache.kafka:${artifact}:${KAFKA_VERSION}`)
  return mavenJars({ name: `ctr-kafka-${KAFKA_VERSION}`, dependencies, remedy: REMEDY })
}
