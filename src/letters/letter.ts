/** A letter as it lies in a topic or a file, why it is there, and which ones are meant. */
import { REASON_TEXT, REASONS } from '../format/reasons.ts'
import type { DeadLetter } from '../output/dead-letter.ts'
import { type Privacy, wholeOf } from '../privacy/privacy.ts'

/** A letter, and where it lies: `0/17`, partition and offset of its topic, or `17`, the line of its file. */
export interface FoundLetter {
  readonly place: string
  readonly reason: string
  readonly letter: DeadLetter
}

/** Which letters are meant; what is absent does not matter. Times are ms since the epoch. */
export interface LetterChoice {
  readonly reasons?: readonly string[] | undefined
  /** Where the record was. */
  readonly topic?: string | undefined
  /** When the letter was written: from `since`, before `until`. */
  readonly since?: number | undefined
  readonly until?: number | undefined
  /** One of these texts is in what the letter has of its record: a value, or what masks of it have in common. */
  readonly holding?: readonly string[] | undefined
}

/** Every reason that a letter can have. */
export const LETTER_REASONS: readonly string[] = [...REASONS.filter((reason) => reason !== 'VALID'), 'LATE', 'ROW_REFUSED']

/** Longer texts first: one may begin as another does. */
const TEXTS = REASONS.map((reason) => [reason, REASON_TEXT[reason]] as const).toSorted(([, a], [, b]) => b.length - a.length)

/** A letter out of its bytes; undefined when they are something else. */
export function letterOf(place: string, bytes: Buffer): FoundLetter | undefined {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
  const letter = value as Partial<DeadLetter> | null
  const whole =
    typeof letter === 'object' &&
    typeof letter?.rawTopic === 'string' &&
    Number.isSafeInteger(letter.partition) &&
    (letter.partition ?? -1) >= 0 &&
    Number.isSafeInteger(letter.offset) &&
    typeof letter.errorCode === 'string' &&
    typeof letter.errorMessage === 'string' &&
    typeof letter.rawData === 'string' &&
    (letter.rawEncoding === 'utf8' || letter.rawEncoding === 'base64') &&
    typeof letter.rawTruncated === 'boolean' &&
    typeof letter.createdAtUtc === 'string'
  return whole ? { place, reason: reasonOf(letter as DeadLetter), letter: letter as DeadLetter } : undefined
}

/** What the metric calls it: of a letter of another version that says it otherwise, its errorCode. */
function reasonOf({ errorCode, errorMessage }: DeadLetter): string {
  if (errorCode === 'LATE_EVENT') return 'LATE'
  if (errorCode === 'ROW_REFUSED') return 'ROW_REFUSED'
  return TEXTS.find(([, text]) => errorMessage === text || errorMessage.startsWith(`${text}: `))?.[0] ?? errorCode
}

/** Whether a letter is one of those. */
export function isChosen({ reason, letter }: FoundLetter, { reasons, topic, since, until, holding }: LetterChoice): boolean {
  const writtenAt = Date.parse(letter.createdAtUtc)
  return (
    (reasons === undefined || reasons.includes(reason) || reasons.includes(letter.errorCode)) &&
    (topic === undefined || letter.rawTopic === topic) &&
    (since === undefined || writtenAt >= since) &&
    (until === undefined || writtenAt < until) &&
    (holding === undefined || holding.some((text) => rawBytes(letter).includes(text)))
  )
}

/** The record that a letter is about; the same one in two letters means that the second one came of a retry of the engine's. */
export function recordOf({ rawTopic, partition, offset }: DeadLetter): string {
  return `${rawTopic}/${partition}/${offset}`
}

/** The bytes of the record, as far as the letter has them. */
export function rawBytes({ rawData, rawEncoding }: DeadLetter): Buffer {
  return Buffer.from(rawData, rawEncoding)
}

const ORIGINAL = 'the record itself is in its topic at the place that its letter names, for as long as the topic keeps it'
const PAYLOAD_GONE: { readonly [payload in NonNullable<DeadLetter['payload']>]: string } = {
  masked: `records whose values privacy.payload: masked has masked; ${ORIGINAL}`,
  none: `records that privacy.payload: none has left out; ${ORIGINAL}`,
}

/** A letter as `privacy` lets it be seen, also one that was written before. */
export function shownLetter(found: FoundLetter, privacy: Privacy | undefined): FoundLetter {
  const { letter, reason } = found
  if (privacy === undefined || letter.payload === 'none' || letter.payload === privacy.payload) return found
  const { rawTopic, element, rawTruncated, eventTimeMillisUtc, errorMessage, faultAt: _, ...rest } = letter
  const bytes = rawBytes(letter)
  // What is masked already stays so, or is left out.
  const masked = letter.payload === 'masked' ? undefined : privacy.value(bytes, rawTopic, wholeOf(letter.errorCode, element))
  const faultAt = rawTruncated && masked?.faultAt === bytes.length ? undefined : masked?.faultAt
  const { payload } = privacy
  return {
    ...found,
    letter: {
      ...rest,
      rawTopic,
      ...(element === undefined ? {} : { element }),
      errorMessage: privacy.message(reason, errorMessage),
      rawData: masked?.text ?? '',
      rawEncoding: 'utf8',
      rawTruncated: true,
      eventTimeMillisUtc: payload === 'none' ? null : eventTimeMillisUtc,
      payload,
      ...(faultAt === undefined ? {} : { faultAt }),
    },
  }
}

/** Why the record of a letter can't be put back; undefined when it can. */
export function notPutBack({ rawTopic, rawTruncated, errorCode, offset, element, payload }: DeadLetter): string | undefined {
  if (errorCode === 'ROW_REFUSED') return 'rows of ClickHouse: INSERT INTO ctr_results FORMAT JSONEachRow takes their rawData'
  if (rawTopic === '' || offset < 0) return 'letters without a record'
  if (errorCode === 'CORRUPT_BATCH' || errorCode === 'BATCH_TOO_LARGE') return 'record batches that could not be read'
  // Alone it would be no record of its topic; and the others of its record have been counted.
  if (element !== undefined) return 'elements of records: the letter lacks what is around them'
  if (payload !== undefined) return PAYLOAD_GONE[payload]
  return rawTruncated ? 'records of which the letter has only the beginning' : undefined
}
