/** Alerts about the numbers: whether they are right, whole, and such as people know them. */
import { type Alert, ASK_READY, JOB, POD } from './alert.ts'

const LANE = `${POD},topic="clicks",partition="3"`
const RECONCILE = 'npx ctr query --config ctr.yaml "SELECT * FROM ctr_reconciliation WHERE NOT balanced ORDER BY minute DESC LIMIT 20"'
const LETTERS = 'kafka-console-consumer.sh --bootstrap-server kafka:9092 --topic ctr-dead-letters --max-messages 5'

/** In the order of the runbook. */
export const DATA_ALERTS: readonly Alert[] = [
  {
    name: 'CtrLedgerUnbalanced',
    rules: [
      {
        severity: 'critical',
        expr: 'ctr_ledger_unaccounted_records != 0',
        for: '1m',
        summary: 'Records were read of which nobody knows what became.',
        description: 'Of {{ $labels.topic }}/{{ $labels.partition }} {{ $value }} records are neither counted nor late nor invalid.',
        fires: {
          series: { [`ctr_ledger_unaccounted_records{${LANE}}`]: '0 2x9' },
          every: '1m',
          at: '2m',
          pendingAt: '1m',
          labels: { job: JOB, instance: 'ctr-0:9464', topic: 'clicks', partition: '3' },
          says: 'Of clicks/3 2 records are neither counted nor late nor invalid.',
        },
        quiet: { series: { [`ctr_ledger_unaccounted_records{${LANE}}`]: '0 0x9' }, every: '1m', at: '5m' },
      },
    ],
    runbook: {
      means: 'A fault of the engine. It must never happen.',
      notice: 'Numbers that are too small or too large by that much.',
      commands: [RECONCILE, 'kubectl logs ctr-0 > ctr-0.log', 'npx ctr checkpoint list --config ctr.yaml'],
      ends: 'Keep the log and the checkpoints, report it, and count the time again with a higher `sink.revision`.',
    },
  },
  {
    name: 'CtrRowsParked',
    rules: [
      {
        severity: 'critical',
        expr: 'sum by (namespace, job) (increase(ctr_rows_parked_total[15m])) > 0',
        for: '0m',
        summary: 'Rows are missing in ClickHouse, which refuses them.',
        description: '{{ $value | printf "%.0f" }} rows were parked in the dead letters within 15 minutes.',
        fires: {
          series: { [`ctr_rows_parked_total{${POD}}`]: '0 0 1x20' },
          every: '1m',
          at: '15m',
          labels: { job: JOB },
          says: '1 rows were parked in the dead letters within 15 minutes.',
        },
        quiet: { series: { [`ctr_rows_parked_total{${POD}}`]: '3x20' }, every: '1m', at: '15m' },
      },
    ],
    runbook: {
      means: 'A constraint, a column or a materialized view of yours does not take the value of a row.',
      notice: 'Single products are missing in single windows.',
      commands: [`${LETTERS} | grep ROW_REFUSED`, 'kubectl logs ctr-0 --tail 200 | grep -i parked', RECONCILE],
      ends: 'Mend the table, then insert the `rawData` of the letters: `INSERT INTO ctr_results FORMAT JSONEachRow`.',
    },
  },
  {
    name: 'CtrInvalidRatioHigh',
    rules: [
      {
        severity: 'warning',
        expr:
          'sum by (namespace, job) (rate(ctr_events_invalid_total[10m]))\n' +
          '  / sum by (namespace, job) (rate(ctr_events_processed_total[10m])) > 0.1',
        for: '10m',
        summary: 'More than a tenth of the records is not valid.',
        description: '{{ $value | humanizePercentage }} of the records are invalid.',
        fires: {
          series: {
            [`ctr_events_invalid_total{${POD},reason="TIME"}`]: '0+72x30',
            [`ctr_events_processed_total{${POD},topic="clicks"}`]: '0+600x30',
          },
          every: '1m',
          at: '11m',
          pendingAt: '10m',
          labels: { job: JOB },
          says: '12% of the records are invalid.',
        },
        quiet: {
          series: {
            [`ctr_events_invalid_total{${POD},reason="TIME"}`]: '0+54x30',
            [`ctr_events_processed_total{${POD},topic="clicks"}`]: '0+600x30',
          },
          every: '1m',
          at: '25m',
        },
      },
    ],
    runbook: {
      means: 'A producer sends what is no event: after a release of it, or to the wrong topic.',
      notice: 'Its impressions or clicks are missing, so the ratio may be wrong for its products.',
      commands: [LETTERS, ASK_READY, 'npx ctr query --config ctr.yaml "SELECT * FROM ctr_ledger ORDER BY cut_at DESC LIMIT 5"'],
      ends: 'Ten minutes after the producer is mended. The dead letters have what was sent, up to `deadLetter.perReason`.',
    },
  },
  {
    name: 'CtrLateRatioHigh',
    rules: [
      {
        severity: 'warning',
        expr:
          'sum by (namespace, job, topic) (rate(ctr_events_late_total[10m]))\n' +
          '  / sum by (namespace, job, topic) (rate(ctr_events_processed_total[10m])) > 0.05',
        for: '10m',
        summary: 'Many events come too late to be counted.',
        description: '{{ $value | humanizePercentage }} of the events of {{ $labels.topic }} are late.',
        fires: {
          series: {
            [`ctr_events_late_total{${POD},topic="clicks"}`]: '0+36x30',
            [`ctr_events_processed_total{${POD},topic="clicks"}`]: '0+600x30',
          },
          every: '1m',
          at: '11m',
          pendingAt: '10m',
          labels: { job: JOB, topic: 'clicks' },
          says: '6% of the events of clicks are late.',
        },
        quiet: {
          series: {
            [`ctr_events_late_total{${POD},topic="clicks"}`]: '0+27x30',
            [`ctr_events_processed_total{${POD},topic="clicks"}`]: '0+600x30',
          },
          every: '1m',
          at: '25m',
        },
      },
    ],
    runbook: {
      means: 'A producer’s clock is ahead and moves time on for the others, or a producer delivers after a break of its own.',
      notice: 'Impressions or clicks are missing: clicks more often, for they come after.',
      commands: ['kubectl logs ctr-0 --tail 500 | grep -i late', ASK_READY, 'npx ctr config --config ctr.yaml'],
      ends: 'When under a twentieth is late. Raise `time.allowedLateness`, or keep them with `late.topic` and replay them.',
    },
  },
  {
    name: 'CtrDeadLettersLeftOut',
    rules: [
      {
        severity: 'info',
        expr: 'sum by (namespace, job, reason) (increase(ctr_dead_letters_left_out_total[1h])) > 0',
        for: '0m',
        summary: 'There are more dead letters than are kept.',
        description: '{{ $value | printf "%.0f" }} dead letters of reason {{ $labels.reason }} were not kept within an hour.',
        fires: {
          series: { [`ctr_dead_letters_left_out_total{${POD},reason="TIME"}`]: '0 1x60' },
          every: '1m',
          at: '60m',
          labels: { job: JOB, reason: 'TIME' },
          says: '1 dead letters of reason TIME were not kept within an hour.',
        },
        quiet: { series: { [`ctr_dead_letters_left_out_total{${POD},reason="TIME"}`]: '7x60' }, every: '1m', at: '60m' },
      },
    ],
    runbook: {
      means: 'More records of one reason, partition and minute are invalid than `deadLetter.perReason` keeps.',
      notice: 'Nothing. The counts are exact; only copies are missing.',
      commands: [LETTERS, ASK_READY, 'npx ctr config --config ctr.yaml'],
      ends: 'An hour after the last. Where all of them are to be mended and sent again, set `deadLetter.perReason: unlimited`.',
    },
  },
  {
    name: 'CtrRatioAnomaly',
    rules: [
      {
        severity: 'warning',
        expr:
          'ctr:ratio:1h\n' +
          '  and (ctr:ratio_low:1h > (ctr:ratio_high:1h offset 1d) or ctr:ratio_high:1h < (ctr:ratio_low:1h offset 1d))\n' +
          '  unless (ctr:ratio_low:1h <= (ctr:ratio_high:1h offset 1w) and ctr:ratio_high:1h >= (ctr:ratio_low:1h offset 1w))\n' +
          '  and abs(ctr:ratio:1h - (ctr:ratio:1h offset 1d)) > 0.2 * (ctr:ratio:1h offset 1d)',
        for: '30m',
        summary: 'The click-through rate is not what it was yesterday and last week.',
        description:
          'The CTR of the last hour is {{ $value | humanizePercentage }}: a fifth or more from yesterday’s, and outside its interval.',
        fires: {
          series: {
            [`ctr_impressions_total{${POD}}`]: '0+3000x400',
            [`ctr_clicks_total{${POD}}`]: '0+300x300 90234+234x100',
          },
          every: '5m',
          at: '1620m',
          pendingAt: '1580m',
          labels: { job: JOB },
          says: 'The CTR of the last hour is 7.8%: a fifth or more from yesterday’s, and outside its interval.',
        },
        quiet: {
          series: {
            [`ctr_impressions_total{${POD}}`]: '0+30x400',
            [`ctr_clicks_total{${POD}}`]: '0+3x300 902+2x100',
          },
          every: '5m',
          at: '1620m',
        },
        alsoQuiet: [
          // Parted, and by less than a fifth.
          {
            series: { [`ctr_impressions_total{${POD}}`]: '0+3000x400', [`ctr_clicks_total{${POD}}`]: '0+300x300 90255+255x100' },
            every: '5m',
            at: '1620m',
          },
          // A week ago it was the same.
          {
            series: {
              [`ctr_impressions_total{${POD}}`]: '0+3000x2060',
              [`ctr_clicks_total{${POD}}`]: '0+150x40 6300+300x1975 598950+150x40',
            },
            every: '5m',
            at: '10230m',
          },
        ],
      },
    ],
    runbook: {
      means: 'Clicks or impressions of a part are missing or doubled, bots click, or something about the product has changed.',
      notice:
        'A CTR that looks wrong. It is what the events say: the ledger and the late and invalid shares tell whether some are missing.',
      commands: [
        'npx ctr query --config ctr.yaml "SELECT * FROM ctr_last_hour ORDER BY abs(ctr - previous_ctr) DESC LIMIT 20"',
        'npx ctr query --config ctr.yaml "SELECT * FROM ctr_totals_hourly ORDER BY hour DESC LIMIT 48"',
        RECONCILE,
      ],
      ends: 'When the interval of an hour meets that of yesterday or of last week; at the latest a day later, when this is usual.',
    },
  },
]
