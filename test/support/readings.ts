/** An event by all three that read it: the plain reading, the exact parser, and the fast reader where it is sure. */
import { expect } from 'vitest'
import { eventRules } from '../../src/format/event-rules.ts'
import { ExactJson } from '../../src/format/json-exact.ts'
import { JsonReader } from '../../src/format/json-read.ts'
import { UNSURE } from '../../src/format/reasons.ts'
import { EventSlot } from '../../src/format/slot.ts'
import { PLAIN_EVENTS, type PlainEventRules, readPlainEvent } from '../../src/selftest/plain-event.ts'
import { differ, differFromOracle, nameOf } from '../../workshop/compare-parsers.ts'
import { eventsWith } from '../../workshop/plain-rules.ts'

/** What a configuration says of events. */
export type Words = Parameters<typeof eventsWith>[0]

/** What all three say of a value: the event or the reason. Throws when they do not agree. */
export function readings(events: Words = {}, plain: Partial<PlainEventRules> = {}) {
  const rules = eventRules(eventsWith(events))
  const [exact, reader] = [new ExactJson(rules), new JsonReader(rules)]
  return (value: string | Uint8Array) => {
    const bytes = new Uint8Array(Buffer.from(value as Uint8Array))
    const [slow, fast] = [new EventSlot(), new EventSlot()]
    const verdict = exact.parse(bytes, 0, bytes.length, slow)
    const all = { ...PLAIN_EVENTS, ...plain }
    expect(differFromOracle(bytes, verdict, slow, all)).toBeUndefined()
    const sure = reader.read(bytes, 0, bytes.length, fast)
    if (sure !== UNSURE) expect(differ(bytes, bytes.length, sure, fast, verdict, slow)).toBeUndefined()
    return { event: readPlainEvent(bytes, all), verdict: nameOf(verdict), isSure: sure !== UNSURE, tolerated: slow.ints[4] }
  }
}
