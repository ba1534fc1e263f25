/**
 * What common producers write, forty made-up lines each (test/golden/shapes), with the mapping that counts them. counts.json was counted
 * from the same lines by a script in another language.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { runInMemory } from '../../workshop/memory-run.ts'
import { eventsWith } from '../../workshop/plain-rules.ts'

const FOLDER = new URL('../golden/shapes/', import.meta.url)

interface Counts {
  readonly records: number
  readonly ignored: number
  readonly impressions: Readonly<Record<string, number>>
  readonly clicks: Readonly<Record<string, number>>
}

const COUNTS = JSON.parse(readFileSync(new URL('counts.json', FOLDER), 'utf8')) as Readonly<Record<string, Counts>>

const MAPPINGS: Readonly<Record<string, Parameters<typeof eventsWith>[0]>> = {
  'bandit-log': { fields: { product: 'item_id' }, type: 'impression', click: { field: 'click' } },
  cloudevents: { envelope: 'cloudevents', types: { impression: ['shop.impression.v1'], click: ['shop.click.v1'] } },
  'connect-envelope': { envelope: 'connect' },
  debezium: { envelope: 'debezium', fields: { product: 'after.sku', type: 'after.kind', time: 'after.created_at' } },
  'list-impressions': {
    fields: { product: 'items[].item_id', type: 'event_name', user: 'user_pseudo_id', time: 'event_timestamp' },
    types: { impression: ['view_item_list'], click: ['select_item'] },
  },
  'segment-track': { envelope: 'segment', types: { impression: ['Product Viewed'], click: ['Product Clicked'] } },
  'sessions-flat': { fields: { product: 'aid', user: 'session', type: 'type', time: 'ts' } },
  'shop-behaviour': { fields: { time: 'event_time' } },
}

test.each(Object.keys(COUNTS))('%s is counted as the script counts it', async (name) => {
  const lines = readFileSync(new URL(`${name}.jsonl`, FOLDER), 'utf8')
    .trimEnd()
    .split('\n')
  const records = lines.map((line, offset) => ({
    topic: 'impressions',
    partition: 0,
    offset,
    recordTimestamp: -1,
    value: Buffer.from(line),
  }))
  const format = { format: 'json' as const, events: eventsWith(MAPPINGS[name]!) }
  const { rows, stats, letters } = await runInMemory([records], { formats: [format, format], ringBytes: 256 * 1024 })
  const sums = (measure: 'impressions' | 'clicks') => {
    const sum: Record<string, number> = {}
    for (const row of rows.values()) if (row[measure] > 0) sum[row.product] = (sum[row.product] ?? 0) + row[measure]
    return sum
  }
  const { records: all, ignored, impressions, clicks } = COUNTS[name]!
  expect(letters).toEqual([])
  expect({ impressions: sums('impressions'), clicks: sums('clicks') }).toEqual({ impressions, clicks })
  expect(stats.records).toEqual({ used: all - ignored, invalid: 0, ignored })
  expect(stats.terms).toMatchObject({ invalid: 0, late: 0, ignored })
})
