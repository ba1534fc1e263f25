/** The lint of PromQL finds what it is there to find. */
import { expect, test } from 'vitest'
import { knownSeries, readQuery } from '../support/promql.ts'

const known = await knownSeries()

test.each([
  ['rate(ctr_rows_written_total[5m]', 'does not parse near'],
  ['ctr_row_written', 'no metric ctr_row_written'],
  ['ctr_ready{task="0"}', 'ctr_ready has no label task'],
  ['ctr_rows_written_total', 'counter ctr_rows_written_total outside of rate and increase'],
  ['deriv(ctr_rows_written_total[5m])', 'counter ctr_rows_written_total outside of rate and increase'],
  ['sum(ctr_sink_flush_seconds_count)', 'counter ctr_sink_flush_seconds_count outside of rate and increase'],
  ['rate(ctr_ready[5m])', 'gauge ctr_ready in rate'],
  ['increase(process_resident_memory_bytes[5m])', 'gauge process_resident_memory_bytes in increase'],
  ['sum by (topics) (rate(ctr_events_processed_total[5m]))', 'no label topics to group by'],
  ['histogram_quantile(0.9, sum by (job) (rate(ctr_sink_flush_seconds_bucket[5m])))', 'histogram_quantile over an aggregation without le'],
  [
    'histogram_quantile(0.9, sum by (le) (rate(ctr_sink_flush_seconds_bucket[5m])) / rate(ctr_sink_flush_seconds_sum[5m]))',
    'has no buckets',
  ],
  ['ctr_sink_flush_seconds', 'no metric ctr_sink_flush_seconds'],
])('%s: %s', (expr, fault) => {
  expect(readQuery(expr, known).faults.join()).toContain(fault)
})

test.each([
  'sum by (topic) (rate(ctr_events_late_total{job=~"$job"}[$__rate_interval] offset 1d))',
  'histogram_quantile(0.9, sum by (le, instance) (rate(ctr_sink_flush_seconds_bucket[5m])))',
  'ctr:ratio:1h > 0.1 and on (job) up == 1',
  'ctr_restore_fallbacks_total > 0',
])('%s is fine', (expr) => {
  expect(readQuery(expr, known).faults).toEqual([])
})
