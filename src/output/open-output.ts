/** From the configuration's `{topic} | {file}` to outputs. */
import type { Logger } from 'pino'
import type { KafkaClientOptions } from '../kafka/kafka-client.ts'
import { fileOutput } from './file-output.ts'
import { LATE_EVENTS, type Output, type OutputLabel, type Outputs, type OutputTarget } from './output.ts'
import { topicOutput } from './topic-output.ts'

/** A section of the configuration: topic, file, or neither. */
interface Section {
  readonly topic?: string | undefined
  readonly file?: string | undefined
  /** ms; Infinity: as the broker says. */
  readonly retention: number
}

/** Where the records of a section go, which names one of the two. */
export function sectionTarget({ topic, file, retention }: Section): OutputTarget {
  return topic === undefined ? { file: file ?? '' } : { topic, retentionMs: retention }
}

/** The late events' output, when `late` names one, as a part of Outputs; `client` and errors as for openOutput. */
export function openLate(section: Section, logger: Logger, client: () => KafkaClientOptions): Pick<Outputs, 'late'> {
  if (section.topic === undefined && section.file === undefined) return {}
  return { late: openOutput(sectionTarget(section), LATE_EVENTS, logger, client) }
}

/** Without a broker at hand: where `late` names a topic, the file `local` takes its place. */
export function openLateFile({ topic, file }: Section, local: string, logger: Logger): Pick<Outputs, 'late'> {
  const path = topic === undefined ? file : local
  return path === undefined ? {} : { late: fileOutput(path, LATE_EVENTS, logger) }
}

/** `client` tells how to get to Kafka; it is asked only when the target is a topic. Throws CTR_DEAD_LETTER when a file can't be opened. */
export function openOutput(target: OutputTarget, label: OutputLabel, logger: Logger, client: () => KafkaClientOptions): Output {
  return 'file' in target ? fileOutput(target.file, label, logger) : topicOutput({ ...client(), ...target }, label)
}
