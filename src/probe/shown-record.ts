/**
 * A record's value for people. Where it is JSON or text, keys tell what may name a person (json-spans.ts). In Avro, Protobuf and whatever
 * else is binary nothing does, so whoever may not see people sees nothing of such a value but its size.
 */
import { formatCount } from '../text.ts'
import { CONFLUENT_BYTES, type Encoding, encodingOf } from './frames.ts'
import { MASK, type ShownSpan, shownValue } from './json-spans.ts'
import type { SampledRecord } from './sampled-record.ts'

/** How values of a topic are shown. */
export interface Showing {
  /** `kafka.topics[].format`. */
  readonly format: string
  /** Of keys that may tell a person though their names do not. */
  readonly masked: (steps: readonly string[]) => boolean
  /** Nothing is masked. */
  readonly open: boolean
}

/** Values of these formats have no places that their bytes would tell. */
export const BINARY_FORMATS: ReadonlySet<string> = new Set(['avro', 'protobuf'])

const BINARY_ENCODINGS: ReadonlySet<Encoding> = new Set(['confluent', 'glue', 'avro file', 'gzip', 'binary'])
/** JSON with a control character in it is broken, not binary. */
const JSON_BEGIN = /^\s*[{["]/
const BEGIN_BYTES = 64

/** The value as text, and where its byte `at` is in that; -1 where it is not shown, or `at` is. */
export function shownRecord(
  { value, headers }: Pick<SampledRecord, 'value' | 'headers'>,
  at: number,
  { format, masked, open }: Showing,
): ShownSpan {
  const bytes = value ?? new Uint8Array(0)
  if (open || bytes.length === 0) return shownValue(bytes, at, masked, open)
  const encoding = encodingOf(bytes, headers)
  const isJson = JSON_BEGIN.test(Buffer.from(bytes.subarray(0, BEGIN_BYTES)).toString('latin1'))
  if (BINARY_FORMATS.has(format) || (BINARY_ENCODINGS.has(encoding) && !isJson)) {
    const what = BINARY_FORMATS.has(format) ? `of ${format}` : 'that are no text'
    return { text: `${MASK} (${formatCount(bytes.length)} bytes ${what})`, at: -1 }
  }
  const lead = encoding === 'confluent json' ? CONFLUENT_BYTES : 0
  return shownValue(bytes.subarray(lead), at < lead ? -1 : at - lead, masked, false)
}
