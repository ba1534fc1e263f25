/**
 * What may be told of why an input is refused. Details are made where bytes are read, and may quote them: numbers that were texts, the
 * first bytes of a value. So only what is known to be of the engine's own making is told, and whatever else is cut out.
 */
import { REASON_TEXT, type Reason } from '../format/reasons.ts'
import { MASKED } from './mask.ts'

/** Of a reason that is no `Reason`: what it says of itself, before its detail. */
const OTHERS: Readonly<Record<string, string>> = {
  LATE: 'the window of the event was closed for good',
  ROW_REFUSED: 'ClickHouse refuses the row for what it holds',
}

/** A place in the bytes; what is there is not told. */
const PLACE = /^at byte \d+/

/** Details as a whole. Numbers in them are sizes, never what was read. */
const TOLD: readonly RegExp[] = [
  /^what says which message it is can not be read$/,
  /^it can not be decompressed$/,
  /^more than time\.maxJump ahead of its partition, of which \d+ such windows are open already$/,
  /^\d+ bytes become more than kafka\.maxBatchBytes \([\d.]+ ?[A-Za-z]+\); raise it to read the batch$/,
  /^a record runs past its batch$/,
  /^\d+ bytes lie behind its last record$/,
]

/** Its detail tells of a schema, which no record has made. */
const OF_SCHEMA: Reason = 'SCHEMA_MISMATCH'
/** What names a schema that nobody knows was read where a frame would be, and may be anything that stands there. */
const KEY = /^(?:id|guid|glue|apicurio):/

/** A letter's message without what may quote its input. */
export function toldMessage(reason: string, message: string): string {
  const words = REASON_TEXT[reason as Reason] ?? OTHERS[reason]
  if (words === undefined) return MASKED
  if (!message.startsWith(`${words}: `)) return words
  const detail = message.slice(words.length + 2)
  if (reason === OF_SCHEMA || TOLD.some((told) => told.test(detail))) return message
  const [kind] = KEY.exec(detail) ?? []
  if (kind !== undefined) return `${words}: ${kind}${MASKED}`
  const [place] = PLACE.exec(detail) ?? []
  return `${words}: ${place === undefined ? MASKED : `${place}: ${MASKED}`}`
}
