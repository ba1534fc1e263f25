/**
 * The history as bytes: one line of JSON that says what follows, and the columns as doubles, all of it compressed. It is a convenience:
 * what can't be read is left out, and a version that does not know it begins anew.
 */
import { gunzipSync, gzipSync } from 'node:zlib'
import { shape, shaped } from '../shape.ts'
import type { HistorySpan } from './column-ring.ts'
import { HISTORY_MAX_BYTES, type KeptHistory, SPAN_NAMES, SPANS, type SpanName, TOTAL_COLUMNS } from './history.ts'
import type { TimelineEvent } from './timeline.ts'

interface Header {
  readonly format: 1
  readonly columns: readonly string[]
  readonly spans: readonly { readonly name: SpanName; readonly stepMs: number; readonly from: number; readonly length: number }[]
  readonly events: readonly TimelineEvent[]
}

const { int, number, text, oneOf, optional, list, object } = shape
const header = object<Header>({
  format: oneOf([1]),
  columns: list(text()),
  spans: list(object<Header['spans'][number]>({ name: oneOf(SPAN_NAMES), stepMs: number(), from: number(), length: int(0) })),
  events: list(
    object<TimelineEvent>({
      at: number(),
      until: optional(number()),
      kind: oneOf(['start', 'stop', 'restart', 'rebalance', 'savepoint', 'checkpoint', 'outage', 'degraded', 'state']),
      severity: oneOf(['info', 'warning', 'error']),
      message: text(),
    }),
  ),
})

/** Bytes to be kept. */
export function encodeHistory({ totals, events }: KeptHistory): Uint8Array {
  const spans = SPAN_NAMES.map((name) => {
    const { stepMs, from, columns } = totals[name]
    return { name, stepMs, from, length: columns[0]?.length ?? 0 }
  })
  const said: Header = { format: 1, columns: [...TOTAL_COLUMNS], spans, events: [...events] }
  const numbers = SPAN_NAMES.flatMap((name) => totals[name].columns.map(bytesOf))
  return gzipSync(Buffer.concat([Buffer.from(`${JSON.stringify(said)}\n`), ...numbers]), { level: 1 })
}

/** undefined when it is of another version, or damaged. */
export function decodeHistory(kept: Uint8Array): KeptHistory | undefined {
  try {
    const bytes = gunzipSync(kept, { maxOutputLength: HISTORY_MAX_BYTES })
    const end = bytes.indexOf('\n')
    const { value: said } = shaped(header, JSON.parse(bytes.subarray(0, end).toString('utf8')))
    if (said === undefined) return undefined
    let at = end + 1
    const column = (length: number) => {
      const from = at
      at += length * Float64Array.BYTES_PER_ELEMENT
      return new Float64Array(bytes.buffer.slice(bytes.byteOffset + from, bytes.byteOffset + at))
    }
    const read = new Map(
      said.spans.map(({ name, stepMs, from, length }) => {
        const byName = new Map(said.columns.map((each) => [each, column(length)]))
        return [name, { stepMs, from, columns: TOTAL_COLUMNS.map((each) => byName.get(each) ?? new Float64Array(length).fill(Number.NaN)) }]
      }),
    )
    const span = (name: (typeof SPAN_NAMES)[number]): HistorySpan => read.get(name) ?? { stepMs: SPANS[name].stepMs, from: 0, columns: [] }
    return { totals: { '15m': span('15m'), '6h': span('6h'), '7d': span('7d') }, events: said.events }
  } catch {
    return undefined
  }
}

function bytesOf(column: Float64Array): Buffer {
  return Buffer.from(column.buffer, column.byteOffset, column.byteLength)
}
