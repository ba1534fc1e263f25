import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { histogramSamples, METRICS } from '../../src/metrics/metrics.ts'
import { createRegistry } from '../../src/metrics/registry.ts'
import type { PipelineStats } from '../../src/metrics/stats.ts'
import { somePartition, someStats } from '../../workshop/stats.ts'

const NOW = Date.UTC(2025, 0, 31, 12)

interface Family {
  type: string
  samples: Map<string, number>
}

/** A strict reader of Prometheus' text format: HELP, TYPE, then the samples of that family; nothing twice. */
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>()
  let current: Family | undefined
  let name = ''
  for (const line of text.split('\n').filter((l) => l !== '')) {
    const meta = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line)
    if (meta?.[1] === 'HELP') name = meta[2]!
    else if (meta?.[1] === 'TYPE') {
      expect(meta[2]).toBe(name)
      expect(families.has(name)).toBe(false)
      current = { type: meta[3]!, samples: new Map() }
      families.set(name, current)
    } else {
      const sample = /^([a-zA-Z_:][\w:]*(?:\{(?:\w+="(?:[^"\\]|\\.)*",?)*\})?) (\S+)$/.exec(line)
      expect(sample, line).not.toBeNull()
      expect(sample![1]!.startsWith(name)).toBe(true)
      expect(current!.samples.has(sample![1]!)).toBe(false)
      current!.samples.set(sample![1]!, sample![2] === 'Nan' ? Number.NaN : Number(sample![2]))
    }
  }
  return families
}

const expose = async (stats: PipelineStats) =>
  parse(
    await createRegistry(
      () => stats,
      () => NOW,
    ).expose(),
  )

test('every metric is exposed under its name and type', async () => {
  const families = await expose(someStats())
  for (const { name, type } of METRICS) expect(families.get(name)?.type, name).toBe(type)
  expect(METRICS.filter(({ name, type }) => (type === 'counter') !== name.endsWith('_total'))).toEqual([])
})

test('the metrics that dashboards rely on are there', () => {
  const names = METRICS.map(({ name }) => name)
  for (const name of [
    'ctr_events_processed_total',
    'ctr_events_invalid_total',
    'ctr_events_late_total',
    'ctr_impressions_total',
    'ctr_clicks_total',
    'ctr_current_ctr',
    'ctr_active_products',
    'ctr_window_ctr',
    'ctr_window_emit_delay_seconds',
    'ctr_rows_written_total',
    'ctr_sink_flush_seconds',
    'ctr_sink_retries_total',
    'ctr_watermark_lag_seconds',
    'ctr_consumer_lag_records',
    'ctr_ring_fill_ratio',
    'ctr_backpressure_seconds_total',
  ]) {
    expect(names).toContain(name)
  }
})

test('the numbers are those of the snapshot', async () => {
  const families = await expose(
    someStats({
      topics: [
        { topic: 'impressions', events: 80 },
        { topic: 'clicks', events: 20 },
      ],
      late: [{ topic: 'clicks', count: 4 }],
      invalid: [{ reason: 'NOT_JSON', count: 3 }],
      lettersLeftOut: [{ reason: 'NOT_JSON', count: 2 }],
      terms: { counted: 52, late: 4, invalid: 3, ignored: 0 },
      impressions: 50,
      clicks: 2,
      tasks: [
        { task: 0, watermark: NOW - 5000 },
        { task: 1, watermark: undefined },
      ],
      partitions: [somePartition({ lag: 7, read: 9, counted: 5, late: 3, invalid: 1 }), somePartition({ partition: 1, lag: undefined })],
      rings: [{ worker: 0, fill: 0.25 }],
      backpressureSeconds: 1.5,
    }),
  )
  const value = (name: string, labels = '') => families.get(name)?.samples.get(name + labels)
  expect(value('ctr_events_processed_total', '{topic="impressions"}')).toBe(80)
  expect(value('ctr_events_invalid_total', '{reason="NOT_JSON"}')).toBe(3)
  expect(value('ctr_dead_letters_left_out_total', '{reason="NOT_JSON"}')).toBe(2)
  expect(value('ctr_events_late_total', '{topic="clicks"}')).toBe(4)
  expect(value('ctr_current_ctr')).toBe(0.04)
  expect(value('ctr_watermark_lag_seconds', '{task="0"}')).toBe(5)
  expect(families.get('ctr_watermark_lag_seconds')?.samples.size).toBe(1)
  expect(value('ctr_consumer_lag_records', '{topic="clicks",partition="0"}')).toBe(7)
  expect(families.get('ctr_consumer_lag_records')?.samples.size).toBe(1)
  expect(value('ctr_ledger_records_total', '{topic="clicks",partition="0",entry="counted"}')).toBe(5)
  expect(value('ctr_ring_fill_ratio', '{worker="0"}')).toBe(0.25)
  expect(value('ctr_backpressure_seconds_total')).toBe(1.5)
  expect(value('ctr_ready')).toBe(1)
})

test('a histogram is cumulative, and its last bucket is its count', async () => {
  const families = await expose(someStats({ windowCtr: { bounds: [0.01, 0.1], counts: [3, 2, 1], sum: 0.75 } }))
  expect([...(families.get('ctr_window_ctr')?.samples ?? [])]).toEqual([
    ['ctr_window_ctr_bucket{le="0.01"}', 3],
    ['ctr_window_ctr_bucket{le="0.1"}', 5],
    ['ctr_window_ctr_bucket{le="+Inf"}', 6],
    ['ctr_window_ctr_sum', 0.75],
    ['ctr_window_ctr_count', 6],
  ])
  expect(histogramSamples({ bounds: [], counts: [2], sum: 1 }).map(({ value }) => value)).toEqual([2, 1, 2])
})

test('the CTR is 0 without impressions', async () => {
  expect((await expose(someStats({ clicks: 5 }))).get('ctr_current_ctr')?.samples.get('ctr_current_ctr')).toBe(0)
})

test('one scrape takes one snapshot, and none is taken before', async () => {
  let reads = 0
  const registry = createRegistry(() => {
    reads++
    return someStats({ rowsWritten: reads })
  })
  expect(reads).toBe(0)
  await registry.expose()
  expect(
    parse(await registry.expose())
      .get('ctr_rows_written_total')
      ?.samples.get('ctr_rows_written_total'),
  ).toBe(2)
  expect(reads).toBe(2)
})

test('process metrics are exposed too', async () => {
  const families = await expose(someStats())
  expect(families.get('process_cpu_seconds_total')?.type).toBe('counter')
  expect(families.get('nodejs_eventloop_lag_seconds')?.type).toBe('gauge')
})

test('the content type is that of prom-client', () => {
  expect(createRegistry(() => someStats()).contentType).toBe(new Registry().contentType)
})
