/** Shapes as they are learned of one event. */
import type { EventRules } from '../../src/format/event-rules.ts'
import { JsonReader } from '../../src/format/json-read.ts'
import { learnIgnored, learnRefused, learnShape, type RefusedShape, type Shape } from '../../src/format/json-shape.ts'
import { IGNORED, REASON } from '../../src/format/reasons.ts'
import { EventSlot } from '../../src/format/slot.ts'
import { PLAIN_RULES } from '../../workshop/plain-rules.ts'

/** The shape of a valid event, or of one that is ignored. */
export function shapeOf(value: string | Uint8Array, rules: EventRules = PLAIN_RULES): Shape | undefined {
  const { verdict, ...event } = read(value, rules)
  if (verdict === REASON.VALID) return learnShape(event)
  if (verdict === IGNORED) return learnIgnored(event)
  throw new Error(`${value} is neither valid nor ignored`)
}

/** The shape of an invalid event, and the reason that it has. */
export function refusedShapeOf(value: string | Uint8Array): { readonly fits: RefusedShape | undefined; readonly reason: number } {
  const { verdict, ...event } = read(value, PLAIN_RULES)
  return { fits: learnRefused(event, verdict), reason: verdict }
}

function read(value: string | Uint8Array, rules: EventRules) {
  const bytes = new Uint8Array(Buffer.from(value as Uint8Array))
  const reader = new JsonReader(rules)
  const verdict = reader.read(bytes, 0, bytes.length, new EventSlot())
  return { verdict, bytes, start: 0, end: bytes.length, reader, rules }
}
