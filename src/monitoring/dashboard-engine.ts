/** For who runs the engine: is it in time, is it right, is it safe, and what does it take. */
import { BALANCE } from '../window/ledger.ts'
import { type Dashboard, type Panel, SELF } from './dashboard.ts'
import { SCHEMA_PANELS } from './schema-panels.ts'

/** A line for each of the quantiles of a histogram. */
function quantiles(name: string): Panel['targets'] {
  return [0.5, 0.95, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (le) (rate(${name}_bucket{${SELF}}[$__rate_interval])))`,
    legend: `p${quantile * 100}`,
  }))
}

function lines(expr: string, legend: string): Panel['targets'] {
  return [{ expr, legend }]
}

const RATE = '[$__rate_interval]'
const LINE = { kind: 'timeseries', width: 8 } as const
const STAT = { kind: 'stat', width: 4 } as const

const OVERVIEW: readonly Panel[] = [
  {
    ...STAT,
    title: 'Ready',
    description: 'The share of the processes that can work. Good is 100 %; /readyz of the others says what they wait for.',
    unit: 'percentunit',
    bounds: [1, 0.5],
    targets: lines(`avg(ctr_ready{${SELF}})`, 'ready'),
  },
  {
    ...STAT,
    title: 'Events read',
    description: 'Records read of all topics, whatever became of them.',
    unit: 'evps',
    targets: lines(`sum(rate(ctr_events_processed_total{${SELF}}${RATE}))`, 'events'),
  },
  {
    ...STAT,
    title: 'Seconds behind',
    description: 'Records that wait, over the rate at which they are read. Good is under a second or two.',
    unit: 's',
    bounds: [10, 60],
    targets: lines(
      `sum(ctr_consumer_lag_records{${SELF}}) / clamp_min(sum(rate(ctr_events_processed_total{${SELF}}${RATE})), 1)`,
      'behind',
    ),
  },
  {
    ...STAT,
    title: 'Windows to ClickHouse, p95',
    description: 'From the end of a window to the acknowledgement of its first rows. It includes time.outOfOrderness.',
    unit: 's',
    bounds: [15, 60],
    targets: lines(`histogram_quantile(0.95, sum by (le) (rate(ctr_window_emit_delay_seconds_bucket{${SELF}}${RATE})))`, 'p95'),
  },
  {
    ...STAT,
    title: 'Wrong now',
    description: 'How many things are wrong while the process works; the table below says which. Good is 0.',
    unit: 'short',
    bounds: [1, 10],
    targets: lines(`sum(ctr_degraded{${SELF}})`, 'degraded'),
  },
  {
    ...STAT,
    title: 'Unaccounted records',
    description: 'The ledger: records read less those counted, late and invalid. Anything but 0 is a fault.',
    unit: 'short',
    bounds: [1, 1],
    targets: lines(`sum(abs(ctr_ledger_unaccounted_records{${SELF}}))`, 'unaccounted'),
  },
]

const IN_TIME: readonly Panel[] = [
  {
    ...LINE,
    title: 'From the end of a window to its rows',
    description: 'How late the first rows of windows are in ClickHouse: p50, p95 and p99. It includes time.outOfOrderness.',
    unit: 's',
    targets: quantiles('ctr_window_emit_delay_seconds'),
  },
  {
    ...LINE,
    title: 'From the closing record to its rows',
    description: 'How long it takes from the record that closes a window to its first rows being readable (p95), and where that time goes.',
    unit: 's',
    targets: lines(`histogram_quantile(0.95, sum by (le, part) (rate(ctr_latency_seconds_bucket{${SELF}}${RATE})))`, '{{part}}'),
  },
  {
    ...LINE,
    title: 'Watermark behind the clock',
    description: 'How far the time of each task is behind. A line that climbs by a second a second is a task that does not move.',
    unit: 's',
    targets: lines(`max by (task) (ctr_watermark_lag_seconds{${SELF}})`, 'task {{task}}'),
  },
  {
    ...LINE,
    title: 'Lag',
    description: 'Records between the position and the end of what can be read; and of what is written, open transactions among it.',
    unit: 'short',
    targets: [
      { expr: `sum by (topic) (ctr_consumer_lag_records{${SELF}})`, legend: '{{topic}}' },
      { expr: `sum by (topic) (ctr_consumer_lag_written_records{${SELF}})`, legend: '{{topic}}, written' },
    ],
  },
  {
    ...LINE,
    title: 'Held back by full rings',
    description:
      'The share of the time for which reading waits for what comes after it. Above half for long, something behind is too slow.',
    unit: 'percentunit',
    targets: lines(`sum by (instance) (rate(ctr_backpressure_seconds_total{${SELF}}${RATE}))`, '{{instance}}'),
  },
  {
    ...LINE,
    title: 'Rings',
    description: 'How full the ring to each worker is. Full rings with an idle ClickHouse: the workers are the bound.',
    unit: 'percentunit',
    targets: lines(`max by (instance, worker) (ctr_ring_fill_ratio{${SELF}})`, '{{instance}} worker {{worker}}'),
  },
  {
    ...LINE,
    title: 'Partitions that wait',
    description: 'Partitions paused because they are too far ahead of their task, and partitions that count as idle.',
    unit: 'short',
    targets: [
      { expr: `sum by (topic) (ctr_partition_paused{${SELF}})`, legend: '{{topic}} paused' },
      { expr: `sum by (topic) (ctr_partition_idle{${SELF}})`, legend: '{{topic}} idle' },
    ],
  },
]

const RIGHT: readonly Panel[] = [
  {
    ...LINE,
    title: 'Late events',
    description: 'The share of the events whose windows were closed for good already, all or with sliding windows some, by topic.',
    unit: 'percentunit',
    targets: [
      ...lines(
        `sum by (topic) (rate(ctr_events_late_total{${SELF}}${RATE})) / sum by (topic) (rate(ctr_events_processed_total{${SELF}}${RATE}))`,
        '{{topic}}',
      ),
      ...lines(
        `sum by (topic) (rate(ctr_events_partly_late_total{${SELF}}${RATE})) / ` +
          `sum by (topic) (rate(ctr_events_processed_total{${SELF}}${RATE}))`,
        '{{topic}} partly',
      ),
    ],
  },
  {
    ...LINE,
    title: 'Invalid records',
    description: 'Records that are not valid events, by reason. The dead letters have their bytes.',
    unit: 'evps',
    targets: [
      { expr: `sum by (reason) (rate(ctr_events_invalid_total{${SELF}}${RATE})) > 0`, legend: '{{reason}}' },
      { expr: `sum(rate(ctr_dead_letters_left_out_total{${SELF}}${RATE}))`, legend: 'letters left out' },
    ],
  },
  {
    ...LINE,
    title: 'Ignored and tolerated',
    description: 'Records of types that are not counted or without a value, and events with something in their JSON that is none.',
    unit: 'evps',
    targets: [
      { expr: `sum(rate(ctr_events_ignored_total{${SELF}}${RATE}))`, legend: 'ignored' },
      { expr: `sum by (kind) (rate(ctr_events_tolerated_total{${SELF}}${RATE}))`, legend: 'tolerated: {{kind}}' },
    ],
  },
  {
    ...LINE,
    title: 'Records and events',
    description: 'Records read by what became of them, and events counted of them: a record may be several.',
    unit: 'evps',
    targets: [
      { expr: `sum by (outcome) (rate(ctr_records_total{${SELF}}${RATE}))`, legend: 'records {{outcome}}' },
      { expr: `sum(rate(ctr_impressions_total{${SELF}}${RATE})) + sum(rate(ctr_clicks_total{${SELF}}${RATE}))`, legend: 'events counted' },
    ],
  },
  {
    ...LINE,
    title: 'The ledger',
    description: `What became of the records that were read: ${BALANCE}.`,
    unit: 'evps',
    targets: lines(`sum by (entry) (rate(ctr_ledger_records_total{${SELF}}${RATE}))`, '{{entry}}'),
  },
  {
    ...LINE,
    title: 'Wrong while it works',
    description: 'Of each reason, how many partitions, tasks or others it is true of. Nothing to see is good.',
    unit: 'short',
    targets: lines(`max by (reason) (ctr_degraded{${SELF}})`, '{{reason}}'),
  },
  {
    ...LINE,
    title: 'Lost, parked, expired',
    description: 'Records that Kafka had deleted, rows that ClickHouse refuses, rows that it drops again, topics made again. Good is 0.',
    unit: 'short',
    targets: [
      { expr: `sum(increase(ctr_records_missing_total{${SELF}}[1h]))`, legend: 'records missing' },
      { expr: `sum(increase(ctr_rows_parked_total{${SELF}}[1h]))`, legend: 'rows parked' },
      { expr: `sum(increase(ctr_rows_expired_total{${SELF}}[1h]))`, legend: 'rows expired' },
      { expr: `sum(increase(ctr_topic_remade_total{${SELF}}[1h]))`, legend: 'topics remade' },
    ],
  },
]

const SINK: readonly Panel[] = [
  {
    ...LINE,
    title: 'Rows',
    description: 'Rows that ClickHouse has acknowledged.',
    unit: 'wps',
    targets: lines(`sum(rate(ctr_rows_written_total{${SELF}}${RATE}))`, 'rows'),
  },
  {
    ...LINE,
    title: 'Inserts',
    description: 'Time of one insert, retries included: p50, p95 and p99.',
    unit: 's',
    targets: quantiles('ctr_sink_flush_seconds'),
  },
  {
    ...LINE,
    title: 'Rows that wait',
    description: 'Rows taken over by the sink that ClickHouse has not acknowledged yet.',
    unit: 'short',
    targets: lines(`sum by (instance) (ctr_sink_pending_rows{${SELF}})`, '{{instance}}'),
  },
  {
    ...LINE,
    title: 'Inserts again, elsewhere',
    description: 'Inserts tried again, and rows that went on to another address of clickhouse.url. Good is 0.',
    unit: 'ops',
    targets: [
      { expr: `sum(rate(ctr_sink_retries_total{${SELF}}${RATE}))`, legend: 'retries' },
      { expr: `sum(rate(ctr_sink_failovers_total{${SELF}}${RATE}))`, legend: 'failovers' },
    ],
  },
  {
    ...LINE,
    title: 'Roll-ups',
    description: 'The share of the time that computing roll-ups and newest windows takes; one process at a time does it.',
    unit: 'percentunit',
    targets: lines(`sum(rate(ctr_roll_up_seconds_total{${SELF}}${RATE}))`, 'roll-ups'),
  },
]

const SAFE: readonly Panel[] = [
  {
    ...LINE,
    title: 'Age of the newest checkpoint',
    description: 'What a restart would read again from Kafka, as time. Nothing when checkpoint.storage is none.',
    unit: 's',
    targets: lines(`max by (instance) (ctr_checkpoint_age_seconds{${SELF}})`, '{{instance}}'),
  },
  {
    ...LINE,
    title: 'Time of checkpoints',
    description: 'From the cut to the manifest, p50, p95 and p99; and the longest that a worker stood still for the last one.',
    unit: 's',
    targets: [
      ...quantiles('ctr_checkpoint_duration_seconds'),
      { expr: `max(ctr_checkpoint_pause_seconds{${SELF}})`, legend: 'a worker stood still' },
    ],
  },
  {
    ...LINE,
    title: 'Size of a checkpoint',
    description: 'What the last complete checkpoint refers to, before compression.',
    unit: 'bytes',
    targets: lines(`sum by (instance) (ctr_checkpoint_size_bytes{${SELF}})`, '{{instance}}'),
  },
  {
    ...LINE,
    title: 'Failures and restarts',
    description: 'Checkpoints that failed, restarts of the pipeline inside a process, and starts of processes, within an hour. Good is 0.',
    unit: 'short',
    targets: [
      { expr: `sum(increase(ctr_checkpoint_failures_total{${SELF}}[1h]))`, legend: 'checkpoints failed' },
      { expr: `sum(increase(ctr_restarts_total{${SELF}}[1h]))`, legend: 'restarts' },
      { expr: `sum(changes(process_start_time_seconds{${SELF}}[1h]))`, legend: 'starts of processes' },
    ],
  },
  {
    ...LINE,
    title: 'The last restore',
    description: 'How long the last restore of tasks took.',
    unit: 's',
    targets: lines(`max by (instance) (ctr_restore_seconds{${SELF}})`, '{{instance}}'),
  },
]

const COST: readonly Panel[] = [
  {
    ...LINE,
    title: 'CPU',
    description: 'Cores that each process takes, all its threads together.',
    unit: 'short',
    targets: lines(`sum by (instance) (rate(process_cpu_seconds_total{${SELF}}${RATE}))`, '{{instance}}'),
  },
  {
    ...LINE,
    title: 'CPU a million events',
    description: 'CPU seconds that a million events cost. It falls with the load.',
    unit: 's',
    targets: lines(
      `1e6 * sum(rate(process_cpu_seconds_total{${SELF}}${RATE})) / clamp_min(sum(rate(ctr_events_processed_total{${SELF}}${RATE})), 1)`,
      'a million events',
    ),
  },
  {
    ...LINE,
    title: 'Memory',
    description: 'Resident memory, and what there may be of it.',
    unit: 'bytes',
    targets: [
      { expr: `sum by (instance) (process_resident_memory_bytes{${SELF}})`, legend: '{{instance}}' },
      { expr: `max(ctr_memory_limit_bytes{${SELF}})`, legend: 'limit' },
    ],
  },
  {
    ...LINE,
    title: 'State',
    description: 'Products in memory, windows held open, and live pairs of product and window as of the last checkpoint.',
    unit: 'short',
    targets: [
      { expr: `sum(ctr_active_products{${SELF}})`, legend: 'products' },
      { expr: `sum(ctr_open_panes{${SELF}})`, legend: 'open windows' },
      { expr: `sum(ctr_state_cells{${SELF}})`, legend: 'cells' },
    ],
  },
  {
    ...LINE,
    title: 'Event loop',
    description: 'How late timers of the main thread are, p99. It reads and counts in turns of milliseconds.',
    unit: 's',
    targets: lines(`max by (instance) (nodejs_eventloop_lag_p99_seconds{${SELF}})`, '{{instance}}'),
  },
  {
    ...LINE,
    title: 'Tasks',
    description: 'Tasks (partition numbers) of each process. A process without any is one too many.',
    unit: 'short',
    targets: lines(`sum by (instance) (ctr_tasks_assigned{${SELF}})`, '{{instance}}'),
  },
]

/** Engine. */
export const ENGINE_DASHBOARD: Dashboard = {
  uid: 'ctr-engine',
  title: 'CTR: engine',
  description: 'For who runs the engine: is it in time, is it right, is it safe, and what does it take.',
  from: 'now-1h',
  rows: [
    { title: 'Now', panels: OVERVIEW },
    { title: 'Is it in time', panels: IN_TIME },
    { title: 'Is it right', panels: RIGHT },
    { title: 'Do schemas come', panels: SCHEMA_PANELS },
    { title: 'Does ClickHouse take it', panels: SINK },
    { title: 'Is it safe', panels: SAFE },
    { title: 'What it takes', panels: COST },
  ],
}
