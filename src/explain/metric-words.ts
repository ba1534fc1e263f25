/** What users notice of each metric (src/metrics/metrics.ts), and which keys change it; what it counts, the metric itself says. */

interface MetricWords {
  /** When it is other than usual. */
  readonly notice: string
  readonly keys: readonly string[]
}

const FINE = 'Nothing.'
const MISSING = 'Events are missing in the counts when it rises.'
const DELAY = 'Results come later when it rises.'
const TIME = ['time.outOfOrderness', 'time.idleTimeout', 'time.maxDrift'] as const
const STATE = ['state.maxProducts', 'window.size', 'time.allowedLateness'] as const
const STORE = ['checkpoint.storage', 'checkpoint.interval', 'checkpoint.timeout'] as const
const CLICKHOUSE = ['clickhouse.url', 'clickhouse.flushInterval', 'clickhouse.batchRows'] as const
const FLOW = ['engine.workers', 'kafka.fetchBytesPerPartition', 'kafka.maxWait'] as const
const EVENTS = ['events.fields.product', 'events.fields.type', 'events.fields.time'] as const

/** By name, in the order of the exposition. */
export const METRIC_WORDS: Readonly<Record<string, MetricWords>> = {
  ctr_events_processed_total: { notice: 'No new rows when it stands still.', keys: ['kafka.topics', 'kafka.brokers'] },
  ctr_events_invalid_total: { notice: MISSING, keys: EVENTS },
  ctr_dead_letters_left_out_total: {
    notice: 'Not every invalid record can be looked at; all are counted.',
    keys: ['deadLetter.perReason'],
  },
  ctr_events_late_total: { notice: MISSING, keys: ['time.allowedLateness', 'time.outOfOrderness', 'late.topic'] },
  ctr_events_partly_late_total: {
    notice: 'Events are missing in some of the windows that overlap at their time when it rises.',
    keys: ['time.allowedLateness', 'time.outOfOrderness', 'window.slide'],
  },
  ctr_events_ignored_total: { notice: `${FINE} Unless a type is ignored that should count.`, keys: ['events.types.other', 'events.empty'] },
  ctr_records_total: { notice: `${FINE} Beside the events it tells how many of them a record has.`, keys: ['events.maxPerRecord'] },
  ctr_events_tolerated_total: { notice: `${FINE} The events are counted; their producer should be told.`, keys: [] },
  ctr_impressions_total: { notice: 'Impressions are missing in all rows when it stands still.', keys: ['events.types.impression'] },
  ctr_clicks_total: { notice: 'Clicks are missing in all rows when it stands still.', keys: ['events.types.click'] },
  ctr_current_ctr: { notice: 'Ratios are too high or too low when one of both kinds of events is missing.', keys: ['kafka.topics'] },
  ctr_active_products: {
    notice: 'Nothing before state.maxProducts: then reading waits.',
    keys: ['state.maxProducts', 'products.match.pattern', 'state.ttl'],
  },
  ctr_open_panes: { notice: FINE, keys: ['window.size', 'time.allowedLateness'] },
  ctr_window_ctr: { notice: 'Ratios are too high or too low when one of both kinds of events is missing.', keys: ['kafka.topics'] },
  ctr_window_emit_delay_seconds: { notice: DELAY, keys: [...TIME, 'clickhouse.flushInterval'] },
  ctr_latency_seconds: { notice: DELAY, keys: ['time.outOfOrderness', 'sink.emitInterval', 'clickhouse.flushInterval'] },
  ctr_rows_written_total: { notice: 'No new rows when it stands still.', keys: CLICKHOUSE },
  ctr_rows_parked_total: { notice: 'Single products are missing in single windows.', keys: ['deadLetter.topic', 'deadLetter.file'] },
  ctr_rows_expired_total: { notice: 'Rows of old windows are not to be seen.', keys: ['clickhouse.retention.results'] },
  ctr_roll_up_seconds_total: { notice: 'Roll-ups come later when it rises as fast as time itself.', keys: ['clickhouse.rollUps.interval'] },
  ctr_sink_pending_rows: { notice: DELAY, keys: CLICKHOUSE },
  ctr_sink_flush_seconds: { notice: DELAY, keys: CLICKHOUSE },
  ctr_sink_retries_total: { notice: DELAY, keys: ['clickhouse.url', 'clickhouse.requestTimeout', 'clickhouse.maxRetries'] },
  ctr_sink_failovers_total: { notice: FINE, keys: ['clickhouse.url'] },
  ctr_watermark_lag_seconds: { notice: DELAY, keys: TIME },
  ctr_consumer_lag_records: { notice: DELAY, keys: FLOW },
  ctr_consumer_lag_written_records: { notice: DELAY, keys: ['time.openTransaction.hold'] },
  ctr_topic_remade_total: { notice: 'Events of windows that were closed meanwhile are late.', keys: ['checkpoint.storage'] },
  ctr_records_missing_total: { notice: 'Counts are too small by what Kafka had deleted.', keys: ['kafka.startFrom', 'checkpoint.storage'] },
  ctr_ledger_records_total: { notice: FINE, keys: [] },
  ctr_ledger_unaccounted_records: { notice: 'Numbers are wrong when it is not 0, by that much.', keys: ['sink.revision'] },
  ctr_partition_idle: { notice: 'What the partition brings after that may be late.', keys: ['time.idleTimeout'] },
  ctr_partition_paused: { notice: 'Results of its task come later.', keys: ['time.maxDrift'] },
  ctr_ring_fill_ratio: { notice: `${DELAY} A full ring holds reading back.`, keys: ['engine.workers', 'engine.ringBytes'] },
  ctr_backpressure_seconds_total: { notice: DELAY, keys: ['engine.workers', ...CLICKHOUSE] },
  ctr_schema_waiting_partitions: {
    notice: 'Results of their tasks come later.',
    keys: ['schemaRegistry.url', 'schemaRegistry.unknownAfter'],
  },
  ctr_schema_wait_seconds_total: { notice: DELAY, keys: ['schemaRegistry.url', 'schemaRegistry.requestTimeout'] },
  ctr_schema_requests_total: { notice: FINE, keys: ['schemaRegistry.url', 'schemaRegistry.requestTimeout'] },
  ctr_schema_from_store_total: { notice: FINE, keys: ['checkpoint.storage'] },
  ctr_schemas: { notice: FINE, keys: ['schemaRegistry.cache'] },
  ctr_restarts_total: { notice: 'Rows come in bursts.', keys: ['restart.attempts', 'restart.window'] },
  ctr_memory_limit_bytes: { notice: FINE, keys: STATE },
  ctr_certificate_expiry_timestamp_seconds: {
    notice: 'Nothing until then; after it no connection.',
    keys: ['kafka.security.ssl.cert', 'clickhouse.tls.cert'],
  },
  ctr_ready: { notice: 'No new rows from this process while it is 0.', keys: [] },
  ctr_degraded: { notice: 'It depends on the reason: `ctr explain degraded` lists them.', keys: [] },
  ctr_tasks_assigned: { notice: 'No new rows of partitions that no process has.', keys: ['kafka.groupId', 'kafka.sessionTimeout'] },
  ctr_checkpoint_duration_seconds: { notice: FINE, keys: STORE },
  ctr_checkpoint_failures_total: { notice: 'Nothing. A restart reads more again.', keys: STORE },
  ctr_checkpoint_size_bytes: { notice: FINE, keys: STATE },
  ctr_checkpoint_age_seconds: { notice: 'Nothing. A restart reads more again.', keys: STORE },
  ctr_checkpoint_pause_seconds: { notice: DELAY, keys: ['checkpoint.interval', 'engine.workers'] },
  ctr_state_cells: { notice: FINE, keys: STATE },
  ctr_restore_seconds: { notice: 'A start takes that much longer.', keys: ['checkpoint.storage'] },
  ctr_restore_fallbacks_total: { notice: 'Nothing. The start read more again.', keys: ['checkpoint.storage', 'checkpoint.retain'] },
}
