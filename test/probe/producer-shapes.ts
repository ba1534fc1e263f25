/** Eight shapes of common producers, forty lines each (shapes/*.jsonl, made up), and what each line is by a plain reading of its own. */
import { readFileSync } from 'node:fs'
import type { ShapedRecord } from './unseen-shapes.ts'

type Event = ShapedRecord['events'][number]

/** What the readings below look at; each shape has some of it. */
interface Line {
  readonly timestamp: string
  readonly item_id: unknown
  readonly click: unknown
  readonly aid: unknown
  readonly ts: number
  readonly type: string
  readonly event: string
  readonly properties: { readonly product_id: unknown }
  readonly after: { readonly kind: string; readonly sku: unknown; readonly created_at: unknown } | null
  readonly time: string
  readonly data: { readonly productId: unknown }
  readonly event_type: string
  readonly product_id: unknown
  readonly event_time: string
  readonly payload: { readonly eventType: string; readonly productId: unknown; readonly timestamp: number }
  readonly event_name: string
  readonly event_timestamp: unknown
  readonly items: readonly { readonly item_id: string }[]
}

/** Large numbers become texts before a double can round them. */
function read(line: string): Line {
  return JSON.parse(line.replaceAll(/:(\d{16,})/g, ':"$1"')) as Line
}

const KINDS: { readonly [type: string]: boolean | undefined } = {
  impression: false,
  view: false,
  click: true,
  clicks: true,
  'product viewed': false,
  'product clicked': true,
  'shop.impression.v1': false,
  'shop.click.v1': true,
  view_item_list: false,
  select_item: true,
}

/** An event of a type that counts, else none. */
function typed(type: string, product: unknown, time: number): Event[] {
  const click = KINDS[type.toLowerCase()]
  return click === undefined ? [] : [{ product: String(product), click, time }]
}

const micros = (text: unknown) => Math.floor(Number(String(text).slice(0, -3)))

const READINGS: { readonly [shape: string]: (line: Line) => Event[] } = {
  'bandit-log': ({ timestamp, item_id, click }) => {
    const time = Date.parse(timestamp.replace(' ', 'T').replace(/(\.\d{3})\d*/, '$1'))
    const event = { product: String(item_id), click: false, time }
    return click === 1 ? [event, { ...event, click: true }] : [event]
  },
  'sessions-flat': ({ aid, ts, type }) => typed(type, aid, ts),
  'segment-track': ({ event, properties, timestamp }) => typed(event, properties.product_id, Date.parse(timestamp)),
  debezium: ({ after }) => (after === null ? [] : typed(after.kind, after.sku, micros(after.created_at))),
  cloudevents: ({ type, time, data }) => typed(type, data.productId, Date.parse(time)),
  'shop-behaviour': ({ event_type, product_id, event_time }) =>
    typed(event_type, product_id, Date.parse(event_time.replace(' UTC', 'Z').replace(' ', 'T'))),
  'connect-envelope': ({ payload }) => typed(payload.eventType, payload.productId, payload.timestamp * 1000),
  'list-impressions': ({ event_name, event_timestamp, items }) =>
    items.flatMap(({ item_id }) => typed(event_name, item_id, micros(event_timestamp))),
}

/** By their names. */
export const PRODUCER_SHAPES: { readonly [shape: string]: readonly ShapedRecord[] } = Object.fromEntries(
  Object.entries(READINGS).map(([shape, reading]) => {
    const lines = readFileSync(new URL(`shapes/${shape}.jsonl`, import.meta.url), 'utf8')
      .trimEnd()
      .split('\n')
    return [shape, lines.map((text) => ({ text, events: reading(read(text)) }))]
  }),
)
