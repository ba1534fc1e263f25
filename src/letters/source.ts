/** Where letters lie: the topic or the file of the configuration. */
import { createReadStream } from 'node:fs'
import { LIMITS } from '../config/limits.ts'
import { CtrError } from '../errors.ts'
import type { KafkaClientOptions } from '../kafka/kafka-client.ts'
import { RecordReader } from '../kafka/record-reader.ts'
import { LineReader } from '../source/line-reader.ts'
import { type FoundLetter, letterOf } from './letter.ts'

/** A section of the configuration, `deadLetter` or `late`, under its name. */
export interface LetterPlace {
  readonly key: 'deadLetter' | 'late'
  readonly topic?: string | undefined
  readonly file?: string | undefined
}

/** A letter, or undefined for a record that is none. */
export type LetterStream = AsyncGenerator<FoundLetter | undefined>

/** Escapes may make six bytes of one. */
const LINE_MAX_BYTES = LIMITS.eventMaxBytes * 6

/** Where that is, in words. Throws CTR_CONFIG when there is none. */
export function placeOfLetters({ key, topic, file }: LetterPlace): string {
  if (topic !== undefined) return `topic ${topic}`
  if (file !== undefined) return `file ${file}`
  throw new CtrError('CTR_CONFIG', `${key}: neither ${key}.topic nor ${key}.file is set, so there are no letters to read`)
}

/** The letters in the order in which they lie; `client` is asked when they are in a topic. Throws CtrError. */
export async function* readLetters(place: LetterPlace, client: () => KafkaClientOptions): LetterStream {
  placeOfLetters(place)
  if (place.topic === undefined) yield* lettersOfFile(place.key, place.file ?? '')
  else yield* lettersOfTopic(place.key, place.topic, client())
}

async function* lettersOfTopic(key: string, topic: string, client: KafkaClientOptions): LetterStream {
  const reader = new RecordReader(client)
  try {
    await reader.connect()
    if (!(await reader.partitionsOf([topic])).has(topic)) {
      const remedy = 'no letter was written yet, or the name is another one'
      throw new CtrError(
        'CTR_KAFKA_TOPIC_MISSING',
        `${key}.topic ${topic}: there is no such topic at kafka.brokers ${client.brokers.join(', ')}; ${remedy}`,
      )
    }
    for await (const { partition, offset, value } of reader.records(topic))
      yield value === null ? undefined : letterOf(`${partition}/${offset}`, value)
  } finally {
    await reader.close()
  }
}

async function* lettersOfFile(key: string, file: string): LetterStream {
  const lines = new LineReader(LINE_MAX_BYTES)
  const letter = () => letterOf(String(lines.lines), Buffer.from(lines.bytes.subarray(lines.start, lines.end)))
  try {
    for await (const chunk of createReadStream(file)) {
      lines.add(chunk as Buffer)
      while (lines.next()) yield letter()
    }
  } catch (error) {
    if (error instanceof CtrError) throw error
    const missing =
      (error as NodeJS.ErrnoException).code === 'ENOENT'
        ? 'there is no such file; no letter was written yet, or it was moved'
        : String(error)
    throw new CtrError('CTR_DEAD_LETTER', `${key}.file ${file}: ${missing}`, { cause: error })
  }
  lines.finish()
  if (lines.next()) yield letter()
}
