/**
 * The text committed beside a group's offset: `{"v":1,"maxEventTime":1700000000000}`, the largest event time (ms) before that offset.
 * Text of anybody else reads as "nothing known".
 */

const VERSION = 1

/** The text for a largest event time (ms), or for none. */
export function encodeOffsetMetadata(maxEventTime: number | undefined): string {
  return JSON.stringify({ v: VERSION, maxEventTime })
}

/** The largest event time (ms) before the offset; undefined when the text doesn't say. */
export function decodeOffsetMetadata(text: string | null | undefined): number | undefined {
  if (!text?.startsWith('{')) return undefined
  try {
    const { v, maxEventTime } = JSON.parse(text) as { v?: unknown; maxEventTime?: unknown }
    return v === VERSION && typeof maxEventTime === 'number' && Number.isSafeInteger(maxEventTime) ? maxEventTime : undefined
  } catch {
    return undefined
  }
}
