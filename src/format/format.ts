/**
 * The formats of events: what turns the bytes of a topic's records into events. A format has two parsers with one meaning.
 *
 *   parse   fast: record after record into ParsedEvents, up to one that it isn't sure of. It may learn how a producer writes.
 *   exact   plain: one value to an event or to the reason why it is none, and always sure. Every rejection comes from it.
 *
 * Where `parse` is sure it says what `exact` would say; a differential test of each format holds that. A new format is a class with both,
 * a member of Format and a case in `formatOf`.
 */
import type { Config } from '../config/schema.ts'
import { JsonFormat } from './json-format.ts'

/** A format as `kafka.topics[].format` names it. */
export type FormatName = Config['kafka']['topics'][number]['format']

/** Any of the formats. */
export type Format = JsonFormat

/** A format for each of the names; equal names share one, and what it has learned. */
export function formatsOf(names: readonly FormatName[]): readonly Format[] {
  const made = new Map<FormatName, Format>()
  return names.map((name) => {
    const format = made.get(name) ?? formatOf(name)
    made.set(name, format)
    return format
  })
}

function formatOf(name: FormatName): Format {
  switch (name) {
    case 'json':
      return new JsonFormat()
  }
}
