/** Alerts about the flow: whether events come, how far behind it is, and what holds it back. */
import { type Alert, ASK_READY, JOB, POD, POD_LABELS } from './alert.ts'

/** Fewer events a second than this, all processes together, is no input: the absolute bound, whatever is usual. */
const EVENTS_PER_SECOND_MIN = 1
const TASK = `${POD},task="3"`
const LANE = `${POD},topic="clicks",partition="3"`
const EVENTS = `ctr_events_processed_total{${POD},topic="clicks"}`
const LOG = 'kubectl logs ctr-0 --tail 50'
const LAG = 'kafka-consumer-groups.sh --bootstrap-server kafka:9092 --describe --group ctr'
const ENDS = 'kafka-get-offsets.sh --bootstrap-server kafka:9092 --topic clicks'

/** In the order of the runbook. */
export const FLOW_ALERTS: readonly Alert[] = [
  {
    name: 'CtrNoInput',
    rules: [
      {
        severity: 'warning',
        expr: `sum by (namespace, job) (rate(ctr_events_processed_total[10m])) < ${EVENTS_PER_SECOND_MIN}`,
        for: '10m',
        summary: 'Next to no events come.',
        description: '{{ $value | printf "%.2f" }} events a second are read, all processes together.',
        fires: {
          series: {
            [`ctr_events_processed_total{${POD},namespace="prod",topic="clicks"}`]: '0+54x40',
            [`ctr_events_processed_total{${POD},namespace="test",topic="clicks"}`]: '0+6000x40',
          },
          every: '1m',
          at: '11m',
          pendingAt: '10m',
          labels: { job: JOB, namespace: 'prod' },
          says: '0.90 events a second are read, all processes together.',
        },
        quiet: { series: { [`ctr_events_processed_total{${POD},topic="clicks"}`]: '0+66x40' }, every: '1m', at: '25m' },
      },
    ],
    runbook: {
      means: 'Producers send nothing, or to other topics, or the engine does not read: then CtrLagGrowing or CtrNotReady is there too.',
      notice: 'No new windows. Those that are open stay so, for time does not move.',
      commands: [ENDS, LAG, ASK_READY],
      ends: 'When more than one event a second is read. Where nights are as quiet as that, raise or lower `EVENTS_PER_SECOND_MIN`.',
    },
  },
  {
    name: 'CtrThroughputLow',
    rules: [
      {
        severity: 'warning',
        expr:
          'ctr:events:rate15m < 0.5 * (ctr:events:rate15m offset 1d)\n' +
          '  unless ctr:events:rate15m >= 0.5 * (ctr:events:rate15m offset 1w)\n' +
          '  and (ctr:events:rate15m offset 1d) > 10',
        for: '15m',
        summary: 'Fewer events come than is usual at this hour.',
        description: '{{ $value | humanize }} events a second: less than half of yesterday’s and of last week’s at this hour.',
        // A week ago and yesterday 12 events a second, now 5.4.
        fires: {
          series: { [EVENTS]: '0+3600x2016 7257600+1620x40' },
          every: '5m',
          at: '10130m',
          pendingAt: '10100m',
          labels: { job: JOB },
          says: '5.4 events a second: less than half of yesterday’s and of last week’s at this hour.',
        },
        // A week ago 200, yesterday 100, now 55.
        quiet: { series: { [EVENTS]: '0+60000x60 3660000+30000x1955 62310000+16500x40' }, every: '5m', at: '10130m' },
        alsoQuiet: [
          // A week ago 80, yesterday 100, now 45.
          { series: { [EVENTS]: '0+24000x60 1464000+30000x1955 60114000+13500x40' }, every: '5m', at: '10130m' },
          // Yesterday 8, now 3: too few to be told from chance.
          { series: { [EVENTS]: '0+2400x300 720000+900x30' }, every: '5m', at: '1540m' },
        ],
      },
    ],
    runbook: {
      means: 'A producer, a region or a topic is missing; or it is a holiday.',
      notice: 'Fewer impressions and clicks. The ratio is right for what came.',
      commands: ['npx ctr query --config ctr.yaml "SELECT * FROM ctr_totals_hourly ORDER BY hour DESC LIMIT 48"', ENDS, LAG],
      ends: 'When the rate is more than half of yesterday’s or of last week’s, or a day after, when this is what is usual.',
    },
  },
  {
    name: 'CtrLagGrowing',
    rules: [
      {
        severity: 'warning',
        expr:
          'sum by (namespace, job, topic) (ctr_consumer_lag_records)\n' +
          '  / clamp_min(sum by (namespace, job, topic) (rate(ctr_events_processed_total[15m])), 1) > 60\n' +
          '  and sum by (namespace, job, topic) (deriv(ctr_consumer_lag_records[15m])) > 0',
        for: '15m',
        summary: 'More comes than is read.',
        description: '{{ $labels.topic }} is {{ $value | humanizeDuration }} behind at the rate it is read with, and falls back further.',
        fires: {
          series: { [`ctr_consumer_lag_records{${LANE}}`]: '7000+10x60', [EVENTS]: '0+6000x60' },
          every: '1m',
          at: '16m',
          pendingAt: '15m',
          labels: { job: JOB, topic: 'clicks' },
          says: 'clicks is 1m 11s behind at the rate it is read with, and falls back further.',
        },
        quiet: { series: { [`ctr_consumer_lag_records{${LANE}}`]: '5000+10x60', [EVENTS]: '0+6000x60' }, every: '1m', at: '40m' },
        alsoQuiet: [{ series: { [`ctr_consumer_lag_records{${LANE}}`]: '9000-10x60', [EVENTS]: '0+6000x60' }, every: '1m', at: '40m' }],
      },
    ],
    runbook: {
      means: 'The processes can’t keep up with a topic: too few of them, a slow ClickHouse behind them, or a producer that catches up.',
      notice: 'Rows come later and later. Past the topic’s retention, records would be lost.',
      commands: [ASK_READY, LAG, 'kubectl top pod -l app.kubernetes.io/name=ctr --containers'],
      ends:
        'When the lag shrinks, or is under a minute. See CtrBackpressure and CtrSinkRetrying for the cause; with neither, add processes, ' +
        'up to one for each partition of a topic.',
    },
  },
  {
    name: 'CtrBackpressure',
    rules: [
      {
        severity: 'warning',
        expr: 'sum by (namespace, job, instance) (rate(ctr_backpressure_seconds_total[5m])) > 0.5',
        for: '15m',
        summary: 'Reading is held back by what comes after it.',
        description: '{{ $labels.instance }} is held back {{ $value | humanizePercentage }} of the time.',
        fires: {
          series: { [`ctr_backpressure_seconds_total{${POD}}`]: '0+33x30' },
          every: '1m',
          at: '20m',
          pendingAt: '19m',
          labels: POD_LABELS,
          says: 'ctr-0:9464 is held back 55% of the time.',
        },
        quiet: { series: { [`ctr_backpressure_seconds_total{${POD}}`]: '0+27x30' }, every: '1m', at: '25m' },
      },
    ],
    runbook: {
      means: 'Rings to the workers are full: the workers, or ClickHouse behind them, are slower than reading.',
      notice: 'Nothing while no lag grows. A process that catches up after a stop is held back too: that is as it should be.',
      commands: [ASK_READY, LOG, 'kubectl top pod -l app.kubernetes.io/name=ctr --containers'],
      ends: 'When it is held back less than half of the time. Give ClickHouse or `engine.workers` more, or add processes.',
    },
  },
  {
    name: 'CtrSinkRetrying',
    rules: [
      {
        severity: 'warning',
        expr: 'sum by (namespace, job, instance) (rate(ctr_sink_retries_total[5m])) > 0',
        for: '10m',
        summary: 'ClickHouse does not take what it is sent.',
        description: '{{ $labels.instance }} repeats {{ $value | printf "%.2f" }} inserts a second.',
        fires: {
          series: { [`ctr_sink_retries_total{${POD}}`]: '0+3x20' },
          every: '1m',
          at: '11m',
          pendingAt: '10m',
          labels: POD_LABELS,
          says: 'ctr-0:9464 repeats 0.05 inserts a second.',
        },
        quiet: { series: { [`ctr_sink_retries_total{${POD}}`]: '0+3x5 15x20' }, every: '1m', at: '15m' },
      },
    ],
    runbook: {
      means: 'Inserts fail and are tried again: ClickHouse is gone, overloaded, full or read-only, or the network is.',
      notice: 'Rows come late. None is lost: offsets move on only with ClickHouse’s acknowledgement.',
      commands: ['kubectl logs ctr-0 --tail 200 | grep -i clickhouse', 'npx ctr query --config ctr.yaml "SELECT 1"', ASK_READY],
      ends: 'Five minutes after the last failed insert. After `clickhouse.maxRetries` failures in a row CtrNotReady follows.',
    },
  },
  {
    name: 'CtrWatermarkStuck',
    rules: [
      {
        severity: 'critical',
        expr:
          'ctr_watermark_lag_seconds > 300\n' +
          '  and deriv(ctr_watermark_lag_seconds[10m]) > 0.5\n' +
          '  and on (namespace, job) sum by (namespace, job) (rate(ctr_events_processed_total[10m])) > 0\n' +
          '  unless on (namespace, job, instance, task)\n' +
          '    label_replace(min by (namespace, job, instance, partition) (ctr_partition_idle), "task", "$1", "partition", "(.+)") == 1',
        for: '10m',
        summary: 'Windows do not close.',
        description: 'The time of task {{ $labels.task }} is {{ $value | humanizeDuration }} behind the clock, and does not move.',
        fires: {
          series: {
            [`ctr_watermark_lag_seconds{${TASK}}`]: '310+36x30',
            [EVENTS]: '0+30x30',
            [`ctr_partition_idle{${LANE}}`]: '0x30',
          },
          every: '1m',
          at: '11m',
          pendingAt: '10m',
          labels: { ...POD_LABELS, task: '3' },
          says: 'The time of task 3 is 11m 46s behind the clock, and does not move.',
        },
        // All partitions of the task are idle: CtrPartitionSilent.
        quiet: {
          series: {
            [`ctr_watermark_lag_seconds{${TASK}}`]: '310+36x30',
            [EVENTS]: '0+30x30',
            [`ctr_partition_idle{${LANE}}`]: '1x30',
          },
          every: '1m',
          at: '20m',
        },
        alsoQuiet: [
          // It moves, if slowly.
          { series: { [`ctr_watermark_lag_seconds{${TASK}}`]: '310+24x30', [EVENTS]: '0+30x30' }, every: '1m', at: '20m' },
          // Nothing comes: CtrNoInput.
          { series: { [`ctr_watermark_lag_seconds{${TASK}}`]: '310+36x30', [EVENTS]: '5x30' }, every: '1m', at: '20m' },
          // Not long enough behind.
          { series: { [`ctr_watermark_lag_seconds{${TASK}}`]: '-140+36x30', [EVENTS]: '0+30x30' }, every: '1m', at: '12m' },
        ],
      },
    ],
    runbook: {
      means:
        'Events come, but the watermark of a task stands: one of its partitions holds it (an open transaction, times that don’t agree, a ' +
        'paused one), or what is read is as old as that.',
      notice: 'No new rows for the products of that task, while others go on.',
      commands: [ASK_READY, LAG, 'kafka-transactions.sh --bootstrap-server kafka:9092 find-hanging --broker-id 0'],
      ends: 'When the time moves. The list `degraded` of /readyz names the partition, and what to do.',
    },
  },
  {
    name: 'CtrPartitionSilent',
    rules: [
      {
        severity: 'warning',
        expr:
          'ctr_partition_idle == 1\n' +
          '  and on (namespace, job, topic) sum by (namespace, job, topic) (rate(ctr_events_processed_total[15m])) > 0',
        for: '15m',
        summary: 'A partition brings nothing while others of its topic do.',
        description: '{{ $labels.topic }}/{{ $labels.partition }} has brought no valid event for 15 minutes (idle = {{ $value }}).',
        fires: {
          series: { [`ctr_partition_idle{${LANE}}`]: '0 1x30', [EVENTS]: '0+30x30' },
          every: '1m',
          at: '16m',
          pendingAt: '15m',
          labels: { ...POD_LABELS, topic: 'clicks', partition: '3' },
          says: 'clicks/3 has brought no valid event for 15 minutes (idle = 1).',
        },
        quiet: { series: { [`ctr_partition_idle{${LANE}}`]: '0 1x30', [EVENTS]: '5x30' }, every: '1m', at: '20m' },
      },
    ],
    runbook: {
      means: 'A producer of that partition has stopped, sends only what is invalid, or its keys never lead there.',
      notice: 'Its products are missing. What it brings later may be late, for the others went on without it (`time.idleTimeout`).',
      commands: [ENDS, LAG, ASK_READY],
      ends: 'With its next valid event, or when the whole topic is silent: then CtrNoInput tells.',
    },
  },
]
