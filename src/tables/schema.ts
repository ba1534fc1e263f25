/**
 * The tables and views of a ctr database, all of them, and which version of them this is.
 *
 *   ctr_results      one row per window, product and task; a row sent again, or grown, replaces the older one by its version
 *   ctr_windows      what to read: the newest version of each row; of a window the highest revision, summed over tasks
 *   ctr_latest       each product's newest window
 *   ctr_emissions    every version of each row that came, with sink.history; see emissions.ts
 *   ctr_results_as_of    the windows as they were known at a time
 *   ctr_recent       the same rows in the order of time, for some days; see recent.ts
 *   ctr_minutely     a window belongs to the period it starts in. Some seconds behind ctr_results, and the longer periods some minutes or
 *   ctr_hourly       hours; see roll-ups.ts
 *   ctr_daily
 *   ctr_monthly
 *   ctr_totals_minutely, _hourly, _daily, _monthly   of all products of a tenant together
 *   ctr_movers       products whose CTR is another one than in a former period, and hours unlike the same hour of former days; see
 *   ctr_anomalies    unusual-views.ts
 *   ctr_refreshed    how far these have come; see marks.ts
 *   ctr_ledger       what was read of each partition up to an offset, and what became of it: totals since first_offset, never differences
 *   ctr_ledger_hourly    of each partition and hour the last of those rows, which ctr_ledger keeps for two days
 *   ctr_ledger_windows   events counted into each window and task before they went to the workers; written once the window is closed
 *   ctr_reconciliation   the one held against the other, per minute of event time; see reconciliation.ts
 *   ctr_schema       which version all of this is of; see book.ts
 *   ctr_inputs       the runs of `ctr replay`, a number for each run of each input; see inputs.ts
 *
 * Tasks from INPUTS_FROM on are runs of inputs, those below are partition numbers. Of each name of an input the highest number that has
 * ended counts; what the others have written is in the tables and in no view.
 *
 * In a cluster most of them are two: `ctr_results_local` on each server, and `ctr_results` over all servers; see cluster.ts.
 */

import { SCHEMA_TABLE } from './book.ts'
import { CHANGES_VIEW } from './changes-view.ts'
import { AS_OF_VIEW, EMISSIONS_FEED, EMISSIONS_TABLE, forgetHistory } from './emissions.ts'
import { LAST_VIEWS } from './last-views.ts'
import { LATEST_TABLE, LATEST_VIEW } from './latest.ts'
import { REFRESHED_TABLE } from './marks.ts'
import type { Form, Retired, SchemaObject } from './objects.ts'
import { WINDOWS_VIEW } from './reading-views.ts'
import { RECENT_FEED, RECENT_TABLE } from './recent.ts'
import { RECONCILIATION_VIEW } from './reconciliation.ts'
import { ROLL_UP_OBJECTS } from './roll-ups.ts'
import {
  INPUTS_TABLE,
  LEDGER_HOURLY_FEED,
  LEDGER_HOURLY_TABLE,
  LEDGER_TABLE,
  LEDGER_WINDOWS_TABLE,
  RESULTS_TABLE,
} from './stored-tables.ts'
import { UNUSUAL_VIEWS } from './unusual-views.ts'

/** Every object, in the order in which they can be created. */
export const OBJECTS: readonly SchemaObject[] = [
  SCHEMA_TABLE,
  RESULTS_TABLE,
  RECENT_TABLE,
  RECENT_FEED,
  EMISSIONS_TABLE,
  EMISSIONS_FEED,
  INPUTS_TABLE,
  LEDGER_TABLE,
  LEDGER_HOURLY_TABLE,
  LEDGER_HOURLY_FEED,
  LEDGER_WINDOWS_TABLE,
  REFRESHED_TABLE,
  WINDOWS_VIEW,
  LATEST_TABLE,
  LATEST_VIEW,
  ...ROLL_UP_OBJECTS,
  ...LAST_VIEWS,
  CHANGES_VIEW,
  ...UNUSUAL_VIEWS,
  AS_OF_VIEW,
  RECONCILIATION_VIEW,
]

/** Version 1 had ClickHouse compute the roll-ups. */
const OF_VERSION_1 = ['ctr_minutely_refresh', 'ctr_hourly_refresh']

/** What must not be there. */
export function retiredOf({ history }: Pick<Form, 'history'>): Retired[] {
  const old = OF_VERSION_1.map((name): Retired => ({ kind: 'retired', name, because: 'is of an older version' }))
  if (history) return old
  const loss = 'sink.history is off here: the history in ctr_emissions ends, and ctr_results_as_of begins anew when it is on again'
  return [...old, { kind: 'retired', name: EMISSIONS_FEED.name, because: 'is there without sink.history', before: forgetHistory, loss }]
}
