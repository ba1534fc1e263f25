/** Panels on the schemas that records name, of the engine's dashboard. */
import { type Panel, SELF } from './dashboard.ts'

const LINE = { kind: 'timeseries', width: 8 } as const

/** A row of them. */
export const SCHEMA_PANELS: readonly Panel[] = [
  {
    ...LINE,
    title: 'Partitions that wait for a schema',
    description: 'They stand at a record whose schema is not here: how many now, and of how many all the time is spent so. Good is 0.',
    unit: 'short',
    targets: [
      { expr: `sum(ctr_schema_waiting_partitions{${SELF}})`, legend: 'now' },
      { expr: `sum(rate(ctr_schema_wait_seconds_total{${SELF}}[$__rate_interval]))`, legend: 'on average' },
    ],
  },
  {
    ...LINE,
    title: 'Requests to the schema registry',
    description: 'By what came of them. A schema is asked for once; found only, and few, is good.',
    unit: 'ops',
    targets: [{ expr: `sum by (outcome) (rate(ctr_schema_requests_total{${SELF}}[$__rate_interval]))`, legend: '{{outcome}}' }],
  },
  {
    ...LINE,
    title: 'Schemas',
    description: 'In memory, and those of the last hour that came from checkpoint.storage since the registry did not give them.',
    unit: 'short',
    targets: [
      { expr: `sum(ctr_schemas{${SELF}})`, legend: 'in memory' },
      { expr: `sum(increase(ctr_schema_from_store_total{${SELF}}[1h]))`, legend: 'from the store' },
    ],
  },
]
