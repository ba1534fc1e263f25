/** Alerts about the process: whether it is there, works, and would start again. */
import { type Alert, ASK_READY, JOB, POD, POD_LABELS } from './alert.ts'

const PODS = 'kubectl get pods -l app.kubernetes.io/name=ctr'
const LOG = 'kubectl logs ctr-0 --tail 50'
const CHECKPOINTS = 'npx ctr checkpoint list --config ctr.yaml'

/** In the order of the runbook. */
export const PROCESS_ALERTS: readonly Alert[] = [
  {
    name: 'CtrDown',
    rules: [
      {
        severity: 'critical',
        expr: `up{job="${JOB}"} == 0`,
        for: '5m',
        summary: 'A process of the engine does not answer.',
        description: '{{ $labels.instance }} has answered no scrape for 5 minutes (up = {{ $value }}).',
        fires: {
          series: { [`up{${POD}}`]: '1 0x9' },
          every: '1m',
          at: '6m',
          pendingAt: '5m',
          labels: POD_LABELS,
          says: 'ctr-0:9464 has answered no scrape for 5 minutes (up = 0).',
        },
        quiet: { series: { [`up{${POD}}`]: '1 0x4 1x9' }, every: '1m', at: '7m' },
      },
    ],
    runbook: {
      means: 'The process has ended, hangs, or can’t be reached from Prometheus.',
      notice:
        'Its partitions go to the other processes of the group after `kafka.sessionTimeout`; with none left, no new rows appear. ' +
        'Nothing is lost: the next start goes on from the checkpoint.',
      commands: [PODS, 'kubectl logs ctr-0 --previous --tail 50', 'kubectl describe pod ctr-0'],
      ends:
        'With the first scrape that is answered. Exit code 2 in the pod’s last state is a configuration that must be mended, and the log ' +
        'names the key; 137 is a lack of memory: see CtrMemoryNearLimit.',
    },
  },
  {
    name: 'CtrGone',
    rules: [
      {
        severity: 'critical',
        expr: `absent(up{job="${JOB}"})`,
        for: '5m',
        summary: 'Prometheus knows of no process of the engine.',
        description: `No target of job ${JOB} for 5 minutes: nothing of the engine is watched, or nothing runs.`,
        fires: {
          series: { 'up{job="other",instance="a:1"}': '1x9' },
          every: '1m',
          at: '5m',
          pendingAt: '4m',
          labels: { job: JOB },
          says: 'No target of job ctr for 5 minutes: nothing of the engine is watched, or nothing runs.',
        },
        quiet: { series: { [`up{${POD}}`]: '_x3 1x9' }, every: '1m', at: '7m' },
      },
    ],
    runbook: {
      means: 'The engine was taken away, or service discovery no longer finds it: then no other alert can fire either.',
      notice: 'With no process: no new rows. With a mistake in discovery: nothing.',
      commands: [PODS, 'kubectl get statefulset ctr', 'curl -s http://prometheus:9090/api/v1/targets?state=any | grep ctr'],
      ends: 'When a target is there again.',
    },
  },
  {
    name: 'CtrNotReady',
    rules: [
      {
        severity: 'critical',
        expr: 'ctr_ready == 0',
        for: '5m',
        summary: 'A process of the engine can’t work.',
        description: '{{ $labels.instance }} has been waiting for 5 minutes (ctr_ready = {{ $value }}); its /readyz says for what.',
        fires: {
          series: { [`ctr_ready{${POD}}`]: '1 0x9' },
          every: '1m',
          at: '6m',
          pendingAt: '5m',
          labels: POD_LABELS,
          says: 'ctr-0:9464 has been waiting for 5 minutes (ctr_ready = 0); its /readyz says for what.',
        },
        quiet: { series: { [`ctr_ready{${POD}}`]: '1 0x4 1x9' }, every: '1m', at: '7m' },
      },
    ],
    runbook: {
      means: 'ClickHouse, the brokers or the outputs are not there or take nothing, or the pipeline stands still.',
      notice: 'No new rows from its partitions. It holds and retries; nothing is dropped.',
      commands: [ASK_READY, LOG, 'npx ctr query --config ctr.yaml "SELECT 1"'],
      ends: 'By itself, when what it waits for is back. It catches up faster than it fell behind.',
    },
  },
  {
    name: 'CtrRestarting',
    rules: [
      {
        severity: 'warning',
        expr: 'sum by (namespace, job, instance) (increase(ctr_restarts_total[15m])) >= 3',
        for: '0m',
        labels: { of: 'pipeline' },
        summary: 'The pipeline fails and begins anew again and again.',
        description: 'In {{ $labels.instance }} the pipeline has begun anew {{ $value | printf "%.0f" }} times within 15 minutes.',
        fires: {
          series: { [`ctr_restarts_total{${POD}}`]: '0 0 1 1 2 3x20' },
          every: '1m',
          at: '15m',
          labels: POD_LABELS,
          says: 'In ctr-0:9464 the pipeline has begun anew 3 times within 15 minutes.',
        },
        quiet: { series: { [`ctr_restarts_total{${POD}}`]: '0 0 1 1 2x20' }, every: '1m', at: '15m' },
      },
      {
        severity: 'warning',
        expr: `changes(process_start_time_seconds{job="${JOB}"}[15m]) >= 3`,
        for: '0m',
        labels: { of: 'process' },
        summary: 'The process starts again and again.',
        description: '{{ $labels.instance }} has started {{ $value }} times within 15 minutes.',
        fires: {
          series: { [`process_start_time_seconds{${POD}}`]: '100 100 200 200 300 300 400x20' },
          every: '1m',
          at: '14m',
          labels: POD_LABELS,
          says: 'ctr-0:9464 has started 3 times within 15 minutes.',
        },
        quiet: { series: { [`process_start_time_seconds{${POD}}`]: '100 100 200 200 300x20' }, every: '1m', at: '14m' },
      },
    ],
    runbook: {
      means: 'A run fails, or the process is killed, soon after each start.',
      notice: 'Rows come in bursts, or not at all. Every start goes on where the last safe point is, so no number is wrong.',
      commands: ['kubectl logs ctr-0 --previous --tail 50', 'kubectl describe pod ctr-0', CHECKPOINTS],
      ends: 'When there are fewer than three in 15 minutes. After `restart.attempts` failures the process ends, and CtrDown follows.',
    },
  },
  {
    name: 'CtrMemoryNearLimit',
    rules: [
      {
        severity: 'warning',
        expr: `process_resident_memory_bytes{job="${JOB}"} / on (namespace, job, instance) ctr_memory_limit_bytes > 0.95`,
        for: '10m',
        summary: 'A process of the engine is about to run out of memory.',
        description: '{{ $labels.instance }} takes {{ $value | humanizePercentage }} of the memory it may have.',
        fires: {
          series: { [`process_resident_memory_bytes{${POD}}`]: '970x15', [`ctr_memory_limit_bytes{${POD}}`]: '1000x15' },
          every: '1m',
          at: '10m',
          pendingAt: '9m',
          labels: POD_LABELS,
          says: 'ctr-0:9464 takes 97% of the memory it may have.',
        },
        quiet: {
          series: { [`process_resident_memory_bytes{${POD}}`]: '940x15', [`ctr_memory_limit_bytes{${POD}}`]: '1000x15' },
          every: '1m',
          at: '11m',
        },
      },
    ],
    runbook: {
      means: 'The process takes more than its plan, which leaves a tenth of the container free; the kernel may kill it.',
      notice: 'Nothing yet. After a kill: a pause of seconds.',
      commands: [ASK_READY, 'kubectl top pod -l app.kubernetes.io/name=ctr --containers', 'kubectl describe pod ctr-0'],
      ends: 'Give the container more memory, or lower `state.maxProducts`, `engine.ringBytes` or `engine.workers`.',
    },
  },
  {
    name: 'CtrCheckpointFailing',
    rules: [
      {
        severity: 'warning',
        expr: 'sum by (namespace, job, instance) (increase(ctr_checkpoint_failures_total[15m])) >= 3',
        for: '0m',
        summary: 'Checkpoints fail.',
        description: '{{ $value | printf "%.0f" }} checkpoints of {{ $labels.instance }} have failed within 15 minutes.',
        fires: {
          series: { [`ctr_checkpoint_failures_total{${POD}}`]: '0 1 2 3x20' },
          every: '1m',
          at: '15m',
          labels: POD_LABELS,
          says: '3 checkpoints of ctr-0:9464 have failed within 15 minutes.',
        },
        quiet: { series: { [`ctr_checkpoint_failures_total{${POD}}`]: '0 1 2x20' }, every: '1m', at: '15m' },
      },
    ],
    runbook: {
      means: 'The store of checkpoints is slow, full, read-only or gone.',
      notice: 'Nothing. A restart would read more again from Kafka than usual.',
      commands: ['kubectl logs ctr-0 --tail 200 | grep -i checkpoint', CHECKPOINTS, ASK_READY],
      ends: 'When three in fifteen minutes no longer fail. What the store was missing is written again by itself.',
    },
  },
  {
    name: 'CtrCheckpointOld',
    rules: [
      {
        severity: 'warning',
        expr: 'ctr_checkpoint_age_seconds > 300',
        for: '5m',
        summary: 'The newest checkpoint is old.',
        description: 'The newest checkpoint of {{ $labels.instance }} is {{ $value | humanizeDuration }} old.',
        fires: {
          series: { [`ctr_checkpoint_age_seconds{${POD}}`]: '310x20' },
          every: '1m',
          at: '5m',
          pendingAt: '4m',
          labels: POD_LABELS,
          says: 'The newest checkpoint of ctr-0:9464 is 5m 10s old.',
        },
        quiet: { series: { [`ctr_checkpoint_age_seconds{${POD}}`]: '290x20' }, every: '1m', at: '12m' },
      },
    ],
    runbook: {
      means:
        'No checkpoint was completed for five minutes. It matters only where `checkpoint.interval` is much shorter; else raise the bound.',
      notice: 'Nothing. A restart would read as much again from Kafka as has come since.',
      commands: [CHECKPOINTS, 'kubectl logs ctr-0 --tail 200 | grep -i checkpoint', ASK_READY],
      ends: 'With the next complete checkpoint.',
    },
  },
  {
    name: 'CtrRestoreFellBack',
    rules: [
      {
        severity: 'info',
        expr: `ctr_restore_fallbacks_total > 0
  and on (namespace, job, instance) time() - process_start_time_seconds{job="${JOB}"} < 3600`,
        for: '0m',
        summary: 'A start passed over checkpoints that could not be read.',
        description: '{{ $labels.instance }} passed over {{ $value }} checkpoints at its start.',
        fires: {
          series: { [`ctr_restore_fallbacks_total{${POD}}`]: '1x70', [`process_start_time_seconds{${POD}}`]: '0x70' },
          every: '1m',
          at: '59m',
          labels: POD_LABELS,
          says: 'ctr-0:9464 passed over 1 checkpoints at its start.',
        },
        quiet: {
          series: { [`ctr_restore_fallbacks_total{${POD}}`]: '1x70', [`process_start_time_seconds{${POD}}`]: '0x70' },
          every: '1m',
          at: '60m',
        },
        alsoQuiet: [
          {
            series: { [`ctr_restore_fallbacks_total{${POD}}`]: '0x70', [`process_start_time_seconds{${POD}}`]: '0x70' },
            every: '1m',
            at: '5m',
          },
        ],
      },
    ],
    runbook: {
      means: 'The newest checkpoint was damaged or incomplete, and an older one was taken, or Kafka’s offsets.',
      notice: 'A start that took longer. The rows are the same.',
      commands: ['npx ctr checkpoint verify --config ctr.yaml', CHECKPOINTS, 'kubectl logs ctr-0 | grep -i "passed over"'],
      ends: 'An hour after the start.',
    },
  },
  {
    name: 'CtrCertificateExpiring',
    rules: [
      {
        severity: 'warning',
        expr: 'min by (namespace, job, key) (ctr_certificate_expiry_timestamp_seconds) - time() < 14 * 86400',
        for: '1h',
        summary: 'A certificate is about to end.',
        description: 'A certificate of {{ $labels.key }} ends in {{ $value | humanizeDuration }}.',
        fires: {
          series: { [`ctr_certificate_expiry_timestamp_seconds{${POD},key="clickhouse.tls.cert"}`]: '1000000x70' },
          every: '1m',
          at: '60m',
          pendingAt: '59m',
          labels: { job: JOB, key: 'clickhouse.tls.cert' },
          says: 'A certificate of clickhouse.tls.cert ends in 11d 12h 46m 40s.',
        },
        quiet: {
          series: { [`ctr_certificate_expiry_timestamp_seconds{${POD},key="clickhouse.tls.cert"}`]: '1213500x70' },
          every: '1m',
          at: '65m',
        },
      },
    ],
    runbook: {
      means: 'A certificate that the configuration names under that key, of the client or of an authority, ends within two weeks.',
      notice: 'Nothing yet. When it has ended, no connection is made any more: CtrNotReady.',
      commands: [
        'npx ctr config --config ctr.yaml',
        'openssl x509 -noout -enddate -subject -in CERTIFICATE',
        'kubectl rollout restart statefulset ctr',
      ],
      ends: 'Put the new certificate in place, then restart: certificates are read at the start.',
    },
  },
]
