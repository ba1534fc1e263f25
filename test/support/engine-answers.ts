/** An engine as the API tells of it, made up: as many partitions and products as a test wants, with what it wants to be wrong. */
import type { Api } from '../../src/server/api.ts'
import type { ApiAnswer } from '../../src/server/api-schemas.ts'
import { HISTORY_SERIES } from '../../src/server/history-series.ts'

/** What is made up. */
export interface MadeUp {
  readonly partitions: number
  readonly products: readonly string[]
  /** ms since the epoch: the engine's now, which a test may move. */
  readonly now: () => number
  readonly state?: Partial<ApiAnswer<'state'>>
}

/** Markup, quotes, a script, an escape sequence, and text that turns the direction of writing. */
export const HOSTILE_IDS: readonly string[] = [
  '<img src=x onerror="globalThis.pwned = 1">',
  '"><script>globalThis.pwned = 1</script>',
  "'); globalThis.pwned = 1; ('",
  'javascript:globalThis.pwned=1',
  `\${globalThis.pwned = 1}{{constructor.constructor("pwned=1")()}}`,
  'a/b?c=d&e#f%2e%00',
  '\u202egnp.exe\u2066',
  '\u001b[31mred',
]

const counted = (impressions: number, clicks: number) => {
  const p = clicks / impressions
  const half = 1.96 * Math.sqrt((p * (1 - p)) / impressions)
  return { impressions, clicks, ctr: p, lowCtr: Math.max(0, p - half), highCtr: Math.min(1, p + half), enough: impressions >= 1000 }
}

const quantiles = (p50Seconds: number) => ({ count: 1000, p50Seconds, p95Seconds: p50Seconds * 2, p99Seconds: p50Seconds * 3 })
const iso = (ms: number) => new Date(ms).toISOString()

/** The API of it. */
export function engineAnswers(made: MadeUp): Api {
  const { now } = made
  const at = () => iso(now())
  return {
    state: () => ({ ...stateAnswer(made), ...made.state }),
    history: ({ span }) => historyAnswer(span, now()),
    partitions: ({ topic, partition }) => ({
      ...partitionsAnswer(made),
      history: topic === undefined || partition === undefined ? null : partitionHistory(now()),
    }),
    windows: () => ({
      at: at(),
      windows: [1, 2, 3].map((i) => ({
        ...counted(50_000, 2500),
        start: iso(minuteOf(now()) - i * 60_000),
        end: iso(minuteOf(now()) - (i - 1) * 60_000),
        products: 100,
        lastWrittenAt: at(),
      })),
    }),
    products: ({ search = '' }) => ({
      at: at(),
      shown: 'show',
      from: iso(now() - 3_600_000),
      to: at(),
      intervalLevel: 0.95,
      products: made.products.filter((id) => id.includes(search)).map(productRow),
    }),
    product: ({ id }) => (made.products.includes(id) ? productAnswer(id, now()) : undefined),
    checkpoints: () => checkpointsAnswer(now()),
    deadLetters: () => lettersAnswer(now()),
    ledger: () => ledgerAnswer(made),
    quality: () => qualityAnswer(made),
    config: () => configAnswer(now()),
    events: () => ({ at: at(), events: eventsOf(now()) }),
  }
}

function minuteOf(ms: number): number {
  return Math.floor(ms / 60_000) * 60_000
}

const WELL: ApiAnswer<'state'>['diagnosis'] = {
  cause: 'none',
  subject: '',
  severity: 'ok',
  sentence: 'It runs well: 10,234 events/s, windows close 6.0 s behind now.',
  remedy: '',
  since: null,
  trend: 'unknown',
  others: [],
}

const RUNNING = { state: 'running' as const, ready: true, reasons: [], degraded: [], held: false, restarts: 0 }

function stateAnswer({ now, partitions }: MadeUp): ApiAnswer<'state'> {
  const at = iso(now())
  const records = { read: 1_234_567, counted: 1_230_000, late: 4000, invalid: 500, ignored: 67 }
  return {
    at,
    name: 'ctr',
    version: '0.1.0',
    group: 'ctr-test',
    tenant: 'shop',
    clientId: 'ctr-0',
    startedAt: iso(now() - 7_200_000),
    ...RUNNING,
    tasks: { assigned: partitions / 2, total: partitions / 2 },
    totals: {
      records,
      impressions: 1_170_000,
      clicks: 60_000,
      rowsWritten: 98_765,
      rowsParked: 0,
      rowsExpired: 0,
      sinkRetries: 0,
      sinkMoves: 0,
      checkpointFailures: 0,
      backpressureSeconds: 0,
    },
    rates: {
      recordsPerSecond: 10_234,
      latePerSecond: 3,
      invalidPerSecond: 0.4,
      ignoredPerSecond: 0,
      rowsPerSecond: 321,
      backpressureShare: 0,
      spanSeconds: 10,
    },
    lastMinute: counted(580_000, 29_000),
    activeProducts: 100,
    openPanes: 300,
    rowsPending: 12,
    sink: { insertShare: 0.05 },
    diagnosis: WELL,
    lagRecords: 345,
    behindSeconds: 0.3,
    watermark: { lowest: iso(now() - 6000), lagSeconds: 6, task: 0 },
    nextWindow: { start: iso(now() - 10_000), end: iso(now()), inSeconds: 6 },
    latency: { endToEnd: quantiles(0.8), watermarkWait: quantiles(0.3), emission: quantiles(0.1), insert: quantiles(0.2) },
    emitDelay: quantiles(3),
    flush: quantiles(0.05),
    checkpoint: {
      enabled: true,
      ageSeconds: 22,
      duration: quantiles(0.2),
      sizeBytes: 123_456,
      cells: 300,
      pauseSeconds: 0.01,
      failures: 0,
    },
    workers: [0, 1].map((worker) => ({ worker, ringFillShare: 0.02, events: 600_000, openPanes: 150, products: 50 })),
    memory: { rssBytes: 400e6, limitBytes: 2e9, stateBytes: 30e6 },
    cost: { threads: ['main', 'worker 0'].map((thread) => ({ thread, cpuSeconds: 12, coresUsed: 0.3 })), cpuSecondsPerMillionRecords: 1.2 },
    limitedBy: { by: 'none', since: null, why: '' },
    ifItDiedNow: { recordsAgain: 220_000, secondsAgain: 4, from: 'checkpoint', checkpointId: '00000042', keptByKafka: true },
    certificates: [{ key: 'http.tls.cert', expiresAt: iso(now() + 40 * 86_400_000) }],
  }
}

const STEPS = { '15m': [1, 900], '6h': [10, 2160], '7d': [60, 10_080] } as const

function historyAnswer(span: '15m' | '6h' | '7d', nowMs: number): ApiAnswer<'history'> {
  const [stepSeconds, length] = STEPS[span]
  const column = (base: number) =>
    Array.from({ length }, (_, i) => (i > length / 3 && i < length / 3 + 20 ? null : base * (1 + 0.2 * Math.sin(i / 40))))
  const scale = (name: string) => (/ctr|Share|cores/.test(name) ? 0.05 : name === 'rssBytes' ? 4e8 : 1000)
  const series = Object.fromEntries(HISTORY_SERIES.map((name) => [name, column(scale(name))])) as ApiAnswer<'history'>['series']
  return { at: iso(nowMs), span, stepSeconds, from: iso(nowMs - stepSeconds * length * 1000), series, events: eventsOf(nowMs) }
}

function eventsOf(nowMs: number): ApiAnswer<'events'>['events'] {
  return [
    { at: iso(nowMs - 600_000), until: null, kind: 'start', severity: 'info', message: 'started' },
    {
      at: iso(nowMs - 300_000),
      until: iso(nowMs - 280_000),
      kind: 'outage',
      severity: 'error',
      message: 'clickhouse.url: <b>does not answer</b>',
    },
  ]
}

function partitionsAnswer({ partitions, now }: MadeUp): Omit<ApiAnswer<'partitions'>, 'history'> {
  const tasks = Math.max(1, partitions / 2)
  return {
    at: iso(now()),
    partitions: Array.from({ length: partitions }, (_, i) => ({
      topic: i < tasks ? 'clicks' : 'impressions',
      partition: i % tasks,
      task: i % tasks,
      position: 1000 * i + (Math.floor(now() / 1000) % 1000),
      endOffset: 1000 * i + 2000,
      lagRecords: i === 1 ? 123_456 : 10,
      lagWrittenRecords: 10,
      behindSeconds: 0.1,
      eventTime: iso(now() - 4000),
      watermark: iso(now() - (i === 0 ? 95_000 : 6000)),
      recordsPerSecond: i === 0 ? 0 : 100,
      records: { read: 12_345, counted: 12_300, late: 40, invalid: 5, ignored: 0 },
      missingRecords: 0,
      remade: 0,
      idle: i === 2,
      paused: i === 3,
      ended: false,
      heardAt: iso(now()),
    })),
    tasks: Array.from({ length: tasks }, (_, task) => ({
      task,
      watermark: iso(now() - 6000),
      lagSeconds: task === 0 ? 95 : 6,
      heldBy: { topic: 'clicks', partition: task, bySeconds: task === 0 ? 89 : 0.2 },
    })),
  }
}

function partitionHistory(nowMs: number): NonNullable<ApiAnswer<'partitions'>['history']> {
  const column = Array.from({ length: 90 }, (_, i) => i * 10)
  return { stepSeconds: 10, from: iso(nowMs - 900_000), recordsPerSecond: column, lagRecords: column, watermarkLagSeconds: column }
}

function productRow(productId: string, i: number): ApiAnswer<'products'>['products'][number] {
  const now = counted(i === 2 ? 12 : 50_000 - 37 * i, i === 2 ? 1 : 2500 + 11 * i)
  return { ...now, productId, previous: counted(50_000, 2000), changed: i === 0 ? 'up' : null }
}

function productAnswer(productId: string, nowMs: number): ApiAnswer<'product'> {
  const windows = [1, 2].map((i) => ({
    ...counted(1000 * i, 50 * i),
    start: iso(minuteOf(nowMs) - i * 60_000),
    end: iso(minuteOf(nowMs) - (i - 1) * 60_000),
    versions: [
      { task: 0, revision: 0, impressions: 900 * i, clicks: 40 * i, emittedAt: iso(nowMs - 5000) },
      { task: 0, revision: 1, impressions: 1000 * i, clicks: 50 * i, emittedAt: iso(nowMs) },
    ],
  }))
  return { at: iso(nowMs), productId, windows }
}

function checkpointsAnswer(nowMs: number): ApiAnswer<'checkpoints'> {
  const checkpoint = (i: number) => ({
    id: String(42 - i).padStart(8, '0'),
    savepoint: i === 1 ? 'before-upgrade' : null,
    writer: 'ctr-0',
    createdAt: iso(nowMs - 22_000 - i * 60_000),
    watermark: iso(nowMs - 30_000 - i * 60_000),
    tasks: 2,
    windows: 4,
    cells: 300,
    sizeBytes: 123_456,
  })
  return { at: iso(nowMs), enabled: true, storage: 'file:///data/state', checkpoints: [0, 1, 2].map(checkpoint), unreadable: [] }
}

function lettersAnswer(nowMs: number): ApiAnswer<'deadLetters'> {
  return {
    at: iso(nowMs),
    reasons: [
      { reason: 'NOT_JSON', records: 400, leftOutRecords: 300 },
      { reason: 'NO_PRODUCT', records: 100, leftOutRecords: 0 },
      { reason: 'NO_USER', records: 0, leftOutRecords: 0 },
    ],
    samples: [
      {
        at: iso(nowMs - 1000),
        reason: 'NOT_JSON',
        topic: 'clicks',
        partition: 3,
        offset: 77,
        detail: 'a comma is missing',
        masked: '{"aaaaaaa_aa":"a0" "aaaa":"aaaaa"}',
        byteAtFault: 19,
      },
      { at: iso(nowMs), reason: 'NO_PRODUCT', topic: 'clicks', partition: 4, offset: 78, detail: null, masked: '<script>', byteAtFault: 8 },
    ],
  }
}

function ledgerAnswer({ now, partitions }: MadeUp): ApiAnswer<'ledger'> {
  const records = { read: 12_345, counted: 12_300, late: 40, invalid: 5, ignored: 0 }
  const minute = (i: number) => ({
    minute: iso(minuteOf(now()) - i * 60_000),
    read: 600_000,
    counted: 598_000,
    late: 1500,
    invalid: 500,
    unaccounted: 0,
    windowEvents: 598_000,
    resultEvents: i === 2 ? 597_990 : 598_000,
    missing: i === 2 ? 10 : 0,
    balanced: i !== 2,
  })
  return {
    at: iso(now()),
    totals: { read: 1_234_567, counted: 1_230_000, late: 4000, invalid: 500, ignored: 67 },
    partitions: Array.from({ length: partitions }, (_, partition) => ({ topic: 'clicks', partition, records, unaccountedRecords: 0 })),
    minutes: [1, 2, 3].map(minute),
  }
}

function qualityAnswer({ now, products }: MadeUp): ApiAnswer<'quality'> {
  const lateness = { upperBounds: [1, 2, 4, 8, 16], counts: [500, 250, 125, 60, 30, 10], sum: 3000 }
  return {
    at: iso(now()),
    topics: ['clicks', 'impressions'].map((topic) => ({ topic, records: 10_000, lateRecords: 100, lateness })),
    allowedLatenessSeconds: 8,
    invalid: [{ reason: 'NOT_JSON', records: 400 }],
    tolerated: [{ kind: 'BOM', records: 3 }],
    windowCtr: { upperBounds: [0.01, 0.1, 1], counts: [10, 100, 5, 0], sum: 5 },
    skew: { workers: 1.1, partitions: 1.4 },
    hotProducts: products.slice(0, 3).map((productId) => ({ ...counted(50_000, 2500), productId, share: 0.12 })),
  }
}

function configAnswer(nowMs: number): ApiAnswer<'config'> {
  return {
    at: iso(nowMs),
    version: '0.1.0',
    node: 'v24.21.0',
    keys: [
      { key: 'kafka.brokers', value: ['kafka:9092'], isDefault: false },
      { key: 'clickhouse.password', value: '***', isDefault: false },
      { key: 'window.size', value: '1m', isDefault: true },
      { key: 'time.outOfOrderness', value: '5s', isDefault: true },
      { key: 'time.allowedLateness', value: '8s', isDefault: false },
    ],
  }
}
