/**
 * The way from each version of the tables to the next. A version whose tables differ only by what can be created, replaced or added needs
 * no entry but its number: differences.ts makes that. A migration is for what moves rows or changes a key.
 *
 * Engines of the version before go on writing while a migration runs, and after it; readers go on reading. A step looks at the database to
 * find what is left of it, so that it can be killed anywhere and run again.
 */
import { identifier, literal } from '../clickhouse/front-sql.ts'
import { beginHistory, EMISSIONS_FEED } from './emissions.ts'
import { type Fill, fillStep } from './fills.ts'
import { partitionsOf, relayStep } from './relay.ts'
import { ROLL_UPS } from './roll-ups.ts'
import { OBJECTS } from './schema.ts'
import type { Part, State, Step } from './steps.ts'

/** The way from the version before to this one. */
export interface Migration {
  readonly version: number
  /** Engines from this version on may write into tables of this one. */
  readonly writersFrom: number
  /** Before missing tables, columns and feeds are made. */
  readonly before: readonly Step[]
  /** After that and after what is fed was filled, and before views are made. */
  readonly after: readonly Step[]
}

const KEY_1 = ['tenant', 'product_id', 'window_start', 'window_end', 'task']

/** A column may enter the key of a table only in the statement that adds it. Rows that are there have no name of a window. */
const RESULTS_WINDOW: Step = {
  name: 'results-window',
  what: 'add the name of the window to the key of results',
  parts: async ({ form, actual }: State) => {
    const found = actual.get('ctr_results')
    if (found?.parts.orderBy !== KEY_1.join(', ') || found.columns.has('window')) return []
    const key = [...KEY_1, '`window`'].join(', ')
    const change = 'ADD COLUMN IF NOT EXISTS `window` LowCardinality(String)'
    const statement = `ALTER TABLE ${identifier(form.database)}.ctr_results ${change}, MODIFY ORDER BY (${key})`
    return [{ name: 'ctr_results', statements: [statement], mends: 'ctr_results' }]
  },
}

/** The roll-ups of version 1, with what it called their refresh. */
const ROLL_UPS_1 = [ROLL_UPS.minutely, ROLL_UPS.hourly].map((rollUp) => ({ ...rollUp, refresh: `${rollUp.view}_refresh` }))

const BY_TIME = ROLL_UPS_1.map(({ table, period, refresh }) => {
  return { table, from: ['tenant', 'product_id', period], written: 'refreshed_at', refresh }
})

/** The minutes that version 1 has computed, summed up; later ones come with their minutes. */
const TOTALS: Step = {
  name: 'fill-totals',
  what: 'sum up the minutes of all products',
  parts: async (state: State) => {
    const [minutes, totals] = [ROLL_UPS.minutely.table, 'ctr_totals_minutely_computed']
    if (!state.actual.has(minutes) || !state.actual.has(totals)) return []
    const database = identifier(state.form.database)
    const parts = (await partitionsOf(state, minutes)).map(({ id, partition, rows, bytes }): Part => {
      const statement = `INSERT INTO ${database}.${totals} (tenant, minute, impressions, clicks, refreshed_at)
        SELECT tenant, minute, sum(m.impressions), sum(m.clicks), max(m.refreshed_at)
        FROM ${database}.${minutes} AS m FINAL WHERE _partition_id = ${literal(id)} GROUP BY tenant, minute`
      return { name: partition, statements: [statement], rows, bytes, note: { name: `fill-totals/${partition}`, detail: '' } }
    })
    return parts.filter(({ note }) => !state.book.notes.has(note?.name ?? ''))
  },
}

/**
 * Version 1 computed a roll-up from all that was inserted up to its newest refresh, less its look-back, which is that of a sweep. Where
 * nothing was computed there is no mark, and all is computed.
 */
const MARKS: Step = {
  name: 'marks',
  what: 'note how far the roll-ups have come',
  parts: async ({ client, form, actual }: State) => {
    const database = identifier(form.database)
    const parts: Part[] = []
    for (const { view, table } of ROLL_UPS_1) {
      if (!actual.has('ctr_refreshed') || !actual.has(table)) continue
      const name = view.replace('ctr_', '')
      const query = `SELECT count() AS found FROM ${database}.ctr_refreshed WHERE name = '${name}'`
      const [marked] = await (await client.query({ query, format: 'JSONEachRow' })).json<{ found: string | number }>()
      if (Number(marked?.found) > 0) continue
      const marks = name === 'minutely' ? `['${name}', '${name} sweep']` : `['${name}']`
      const statement = `INSERT INTO ${database}.ctr_refreshed (name, at)
        SELECT arrayJoin(${marks}), max(refreshed_at) FROM ${database}.${table} HAVING count() > 0`
      parts.push({ name: table, statements: [statement] })
    }
    return parts
  },
}

const FILLS: readonly Fill[] = [
  {
    step: 'fill-recent',
    feed: 'ctr_recent_feed',
    source: 'ctr_results',
    partition: 'toYYYYMMDD(window_start)',
    kept: ({ recent }) => {
      if (recent === Number.POSITIVE_INFINITY) return undefined
      const from = `now64(3) - toIntervalSecond(${Math.ceil(recent / 1000)})`
      return `inserted_at >= ${from} OR window_end >= ${from}`
    },
    // Roll-ups find by this table what has changed; they are computed from the beginning again.
    missed: (database) => `ALTER TABLE ${database}.ctr_refreshed DELETE WHERE NOT startsWith(name, 'whole ') SETTINGS mutations_sync = 2`,
  },
  {
    step: 'fill-emissions',
    feed: EMISSIONS_FEED.name,
    wanted: ({ history }) => history,
    source: 'ctr_results',
    partition: 'toYYYYMMDD(window_start)',
    kept: ({ emissions }) => {
      if (emissions === Number.POSITIVE_INFINITY) return undefined
      return `window_end >= now64(3) - toIntervalSecond(${Math.ceil(emissions / 1000)})`
    },
    whole: beginHistory,
  },
  { step: 'fill-ledger-hourly', feed: 'ctr_ledger_hourly_feed', source: 'ctr_ledger' },
]

/** What feeds have not seen; for every version, for somebody may have dropped a feed. */
export const FILL_STEPS: readonly Step[] = FILLS.map((fill) => fillStep(OBJECTS, fill))

/** In their order. Version 1 is where it begins: tables without a book. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 2, writersFrom: 1, before: [RESULTS_WINDOW], after: [relayStep(OBJECTS, 'roll-ups-by-time', BY_TIME), TOTALS, MARKS] },
  { version: 3, writersFrom: 1, before: [], after: [] },
]

/** The version of the tables that this engine writes and knows. */
export const VERSION = MIGRATIONS.at(-1)?.version ?? 1
