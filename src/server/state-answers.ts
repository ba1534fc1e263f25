/** Answers that follow from the newest snapshot and from memory. */
import { History, type Interval, perSecond, readOf, recordsReadOf, SPANS, type SpanName, TOTAL_COLUMNS } from '../history/history.ts'
import type { TimelineEvent } from '../history/timeline.ts'
import { isReady } from '../metrics/metrics.ts'
import type { PartitionStats, PipelineStats } from '../metrics/stats.ts'
import type { Intervals } from '../tables/objects.ts'
import { unaccounted } from '../window/ledger.ts'
import type { ApiQuery } from './api-queries.ts'
import type { ApiAnswer } from './api-schemas.ts'
import { HISTORY_SERIES } from './history-series.ts'
import { type Limit, limitOf } from './limiting.ts'
import { ctrOf, finite, iso, isoOrNull, quantilesOf } from './numbers.ts'
import type { ThreadUse } from './threads.ts'

/** What does not change while the process runs. */
export interface EngineFacts {
  readonly version: string
  readonly group: string
  readonly tenant: string
  readonly clientId: string
  /** ms */
  readonly startedAt: number
  readonly allowedLatenessMs: number
  readonly intervals: Intervals
  /** The window that is due first of those that are not at a watermark, ms. */
  readonly nextWindow: (watermark: number) => { readonly start: number; readonly end: number }
}

/** A look at the engine. `uses` and `usesBefore` are those of its threads, at `now` and `usesSeconds` before. */
export interface Look {
  readonly stats: PipelineStats
  readonly history: History
  readonly facts: EngineFacts
  readonly uses: readonly ThreadUse[]
  readonly usesBefore: readonly ThreadUse[]
  readonly usesSeconds: number
  readonly rssBytes: number
  /** Since when the limit is what it is, ms. */
  readonly limitedSince: number | undefined
  readonly now: number
}

const NO_INTERVAL_SECONDS = 1

/** What the look says of what holds the engine back. */
export function limitNow(look: Look): Limit {
  const interval = look.history.interval() ?? { before: look.stats, after: look.stats, seconds: NO_INTERVAL_SECONDS }
  return limitOf(interval, mostBehind(look), coresOf(look))
}

function coresOf({ uses, usesBefore, usesSeconds }: Look): ThreadUse[] {
  const before = new Map(usesBefore.map(({ thread, cpuSeconds }) => [thread, cpuSeconds]))
  return uses.map(({ thread, cpuSeconds }) => ({
    thread,
    cpuSeconds: usesSeconds > 0 ? Math.max(0, cpuSeconds - (before.get(thread) ?? cpuSeconds)) / usesSeconds : 0,
  }))
}

function mostBehind({ stats, history, now }: Look): number | undefined {
  const behind = stats.partitions.flatMap((partition) => history.behindSeconds(partition, now) ?? [])
  return behind.length === 0 ? undefined : behind.reduce((most, one) => Math.max(most, one), 0)
}

function sumKnown(values: readonly (number | undefined)[]): number | null {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0)
}

function recordsOf(stats: PipelineStats) {
  return { read: readOf(stats), ...stats.terms }
}

/** The answer of `/state`, but for what is found by the answers before it too. */
export function stateAnswer(look: Look): Omit<ApiAnswer<'state'>, 'diagnosis'> {
  const { stats, history, facts, now } = look
  const { checkpoints } = stats
  return {
    at: iso(now),
    name: 'ctr',
    version: facts.version,
    group: facts.group,
    tenant: facts.tenant,
    clientId: facts.clientId,
    startedAt: iso(facts.startedAt),
    state: stats.state,
    ready: isReady(stats),
    reasons: [...stats.notReady],
    degraded: stats.degraded.map(({ code, subject, message, since }) => ({ code, subject, message, since: iso(since) })),
    held: stats.held,
    restarts: stats.restarts,
    tasks: { assigned: stats.tasks.length, total: stats.taskCount ?? null },
    totals: {
      records: recordsOf(stats),
      impressions: stats.impressions,
      clicks: stats.clicks,
      rowsWritten: stats.rowsWritten,
      rowsParked: stats.rowsParked,
      rowsExpired: stats.rowsExpired,
      sinkRetries: stats.sinkRetries,
      sinkMoves: stats.sinkMoves,
      checkpointFailures: checkpoints.failures,
      backpressureSeconds: stats.backpressureSeconds,
    },
    rates: ratesOf(history.interval()),
    lastMinute: lastMinuteOf(history.interval(60_000), facts),
    activeProducts: stats.activeProducts,
    openPanes: stats.openPanes,
    rowsPending: stats.rowsPending,
    sink: { insertShare: insertShareOf(history.interval()) },
    lagRecords: sumKnown(stats.partitions.map(({ lag }) => lag)),
    behindSeconds: finite(mostBehind(look)),
    watermark: lowestWatermark(stats, now),
    nextWindow: nextWindow(stats, facts),
    latency: latencyOf(stats),
    emitDelay: quantilesOf(stats.emitDelaySeconds),
    flush: quantilesOf(stats.sinkFlushSeconds),
    checkpoint: {
      enabled: checkpoints.enabled,
      ageSeconds: checkpoints.enabled ? checkpoints.ageSeconds : null,
      duration: quantilesOf(checkpoints.durationSeconds),
      sizeBytes: checkpoints.bytes,
      cells: checkpoints.cells,
      pauseSeconds: checkpoints.pausedSeconds,
      failures: checkpoints.failures,
    },
    workers: stats.workers.map(({ worker, events, openPanes, products }) => {
      return { worker, ringFillShare: stats.rings[worker]?.fill ?? 0, events, openPanes, products }
    }),
    memory: {
      rssBytes: look.rssBytes,
      limitBytes: stats.memoryLimitBytes,
      stateBytes: stats.workers.reduce((sum, { paneBytes }) => sum + paneBytes, 0),
    },
    cost: costOf(look),
    limitedBy: { ...limitNow(look), since: isoOrNull(look.limitedSince) },
    ifItDiedNow: ifItDied(stats, history.interval()),
    certificates: stats.certificates.map(({ key, expiresAt }) => ({ key, expiresAt: iso(expiresAt) })),
  }
}

function ratesOf(interval: Interval | undefined): ApiAnswer<'state'>['rates'] {
  if (interval === undefined) {
    const none = { recordsPerSecond: 0, latePerSecond: 0, invalidPerSecond: 0, ignoredPerSecond: 0, rowsPerSecond: 0 }
    return { ...none, backpressureShare: 0, spanSeconds: 0 }
  }
  const { before, after, seconds } = interval
  const rate = (of: (stats: PipelineStats) => number) => perSecond(of(before), of(after), seconds)
  return {
    recordsPerSecond: rate(recordsReadOf),
    latePerSecond: rate(({ terms }) => terms.late),
    invalidPerSecond: rate(({ terms }) => terms.invalid),
    ignoredPerSecond: rate(({ terms }) => terms.ignored),
    rowsPerSecond: rate(({ rowsWritten }) => rowsWritten),
    backpressureShare: Math.min(
      1,
      rate(({ backpressureSeconds }) => backpressureSeconds),
    ),
    spanSeconds: seconds,
  }
}

/** There is one insert at a time. */
function insertShareOf(interval: Interval | undefined): number | null {
  if (interval === undefined) return null
  const { before, after, seconds } = interval
  return Math.min(1, perSecond(before.sinkFlushSeconds.sum, after.sinkFlushSeconds.sum, seconds))
}

function lastMinuteOf(interval: Interval | undefined, { intervals }: EngineFacts): ApiAnswer<'state'>['lastMinute'] {
  if (interval === undefined) return ctrOf({ impressions: 0, clicks: 0 }, intervals)
  const { before, after } = interval
  const since = (a: number, b: number) => perSecond(a, b, 1)
  const counts = { impressions: since(before.impressions, after.impressions), clicks: since(before.clicks, after.clicks) }
  return ctrOf(counts, intervals)
}

function latencyOf({ latency }: PipelineStats): ApiAnswer<'state'>['latency'] {
  return {
    endToEnd: quantilesOf(latency.endToEnd),
    watermarkWait: quantilesOf(latency.watermarkWait),
    emission: quantilesOf(latency.emission),
    insert: quantilesOf(latency.insert),
  }
}

function nextWindow({ tasks }: PipelineStats, facts: EngineFacts): ApiAnswer<'state'>['nextWindow'] {
  const known = tasks.flatMap(({ watermark }) => watermark ?? [])
  if (known.length === 0) return null
  const watermark = known.reduce((lowest, each) => Math.min(lowest, each))
  const { start, end } = facts.nextWindow(watermark)
  return { start: iso(start), end: iso(end), inSeconds: (end - watermark) / 1000 }
}

function lowestWatermark({ tasks }: PipelineStats, now: number): ApiAnswer<'state'>['watermark'] {
  const known = tasks.flatMap(({ task, watermark }) => (watermark === undefined ? [] : [{ task, watermark }]))
  const [first] = known.toSorted((a, b) => a.watermark - b.watermark)
  if (first === undefined) return { lowest: null, lagSeconds: null, task: null }
  return { lowest: iso(first.watermark), lagSeconds: (now - first.watermark) / 1000, task: first.task }
}

function costOf(look: Look): ApiAnswer<'state'>['cost'] {
  const cores = new Map(coresOf(look).map(({ thread, cpuSeconds }) => [thread, cpuSeconds]))
  const seconds = look.uses.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0)
  const records = recordsReadOf(look.stats)
  return {
    threads: look.uses.map(({ thread, cpuSeconds }) => ({ thread, cpuSeconds, coresUsed: cores.get(thread) ?? 0 })),
    cpuSecondsPerMillionRecords: records === 0 || seconds === 0 ? null : (seconds / records) * 1e6,
  }
}

function ifItDied({ partitions, checkpoints }: PipelineStats, interval: Interval | undefined): ApiAnswer<'state'>['ifItDiedNow'] {
  const again = partitions.map(({ position, safeOffset }) => (safeOffset === undefined ? undefined : Math.max(0, position - safeOffset)))
  const known = again.every((records) => records !== undefined)
  const records = known ? sumKnown(again) : null
  const { recordsPerSecond } = ratesOf(interval)
  const from = !again.some((one) => one !== undefined) ? 'nothing' : checkpoints.lastId === null ? 'marks' : 'checkpoint'
  return {
    recordsAgain: records,
    secondsAgain: records === null || recordsPerSecond === 0 ? (records === 0 ? 0 : null) : records / recordsPerSecond,
    from,
    checkpointId: from === 'checkpoint' ? checkpoints.lastId : null,
    keptByKafka: null,
  }
}

/** The answer of `/history`. */
export function historyAnswer({ history, now }: Look, { span }: { readonly span: SpanName }): ApiAnswer<'history'> {
  const { stepMs, from, columns } = history.totals(span, now)
  const of = (name: string) => columns[TOTAL_COLUMNS.indexOf(name as (typeof TOTAL_COLUMNS)[number])] ?? new Float64Array()
  const [impressions, clicks] = [of('impressionsPerSecond'), of('clicksPerSecond')]
  const series = HISTORY_SERIES.map((name) => {
    const values = name === 'ctr' ? clicks.map((value, i) => value / (impressions[i] ?? 0)) : of(name)
    return [name, Array.from(values, finite)] as const
  })
  const events = history.timeline.events.filter(({ at, until = at }) => until >= now - SPANS[span].stepMs * SPANS[span].slots)
  return {
    at: iso(now),
    span,
    stepSeconds: stepMs / 1000,
    from: iso(from),
    series: Object.fromEntries(series) as ApiAnswer<'history'>['series'],
    events: events.map(eventOf),
  }
}

/** The answer of `/events`. */
export function eventsAnswer({ history, now }: Look): ApiAnswer<'events'> {
  return { at: iso(now), events: history.timeline.events.map(eventOf) }
}

function eventOf({ at, until, kind, severity, message }: TimelineEvent): ApiAnswer<'events'>['events'][number] {
  return { at: iso(at), until: isoOrNull(until), kind, severity, message }
}

/** The answer of `/partitions`. */
export function partitionsAnswer(look: Look, { topic, partition }: ApiQuery<'partitions'>): ApiAnswer<'partitions'> {
  const { stats, history, now } = look
  const before = new Map(history.interval()?.before.partitions.map((one) => [`${one.topic}/${one.partition}`, one.recordsRead]))
  const seconds = history.interval()?.seconds ?? NO_INTERVAL_SECONDS
  const span = topic === undefined || partition === undefined ? undefined : history.partition(topic, partition, now)
  return {
    at: iso(now),
    partitions: stats.partitions.map((one) => {
      const { topic, partition, position, lag, lagWritten, recordsRead } = one
      return {
        topic,
        partition,
        task: partition,
        position,
        endOffset: lag === undefined ? null : position + lag,
        lagRecords: lag ?? null,
        lagWrittenRecords: lagWritten ?? null,
        behindSeconds: finite(history.behindSeconds(one, now)),
        eventTime: isoOrNull(one.eventTime),
        watermark: isoOrNull(one.watermark),
        recordsPerSecond: perSecond(before.get(`${topic}/${partition}`) ?? recordsRead, recordsRead, seconds),
        records: countsOfPartition(one),
        missingRecords: one.missing,
        remade: one.remade,
        idle: one.idle,
        paused: one.paused,
        ended: one.ended,
        heardAt: isoOrNull(one.heardAt),
      }
    }),
    tasks: stats.tasks.map(({ task, watermark }) => ({
      task,
      watermark: isoOrNull(watermark),
      lagSeconds: watermark === undefined ? null : (now - watermark) / 1000,
      heldBy: heldBy(stats.partitions.filter((one) => one.partition === task)),
    })),
    history:
      span === undefined
        ? null
        : {
            stepSeconds: span.stepMs / 1000,
            from: iso(span.from),
            recordsPerSecond: Array.from(History.columnOf(span, 'recordsPerSecond'), finite),
            lagRecords: Array.from(History.columnOf(span, 'lagRecords'), finite),
            watermarkLagSeconds: Array.from(History.columnOf(span, 'watermarkLagSeconds'), finite),
          },
  }
}

function countsOfPartition({ read, counted, late, invalid, ignored }: PartitionStats) {
  return { read, counted, late, invalid, ignored }
}

/** Of the partitions of a task the one with the lowest watermark, when others would be further without it. */
function heldBy(partitions: readonly PartitionStats[]): ApiAnswer<'partitions'>['tasks'][number]['heldBy'] {
  const holding = partitions.filter(({ idle, ended }) => !idle && !ended)
  const [first, second] = holding.toSorted((a, b) => (a.watermark ?? Number.NEGATIVE_INFINITY) - (b.watermark ?? Number.NEGATIVE_INFINITY))
  if (first === undefined || second?.watermark === undefined) return null
  const { topic, partition, watermark } = first
  if (watermark === second.watermark) return null
  return { topic, partition, bySeconds: watermark === undefined ? null : (second.watermark - watermark) / 1000 }
}

/** The answer of `/quality`, less what ClickHouse has to say. */
export function qualityAnswer({ stats, facts, now }: Look): Omit<ApiAnswer<'quality'>, 'hotProducts'> {
  const histogram = ({ bounds, counts, sum }: PipelineStats['windowCtr']) => ({ upperBounds: [...bounds], counts: [...counts], sum })
  return {
    at: iso(now),
    topics: stats.topics.map(({ topic, events }, i) => ({
      topic,
      records: events,
      lateRecords: stats.late[i]?.count ?? 0,
      lateness: histogram(stats.lateness[i]?.histogram ?? { bounds: [], counts: [0], sum: 0 }),
    })),
    allowedLatenessSeconds: facts.allowedLatenessMs / 1000,
    invalid: stats.invalid.map(({ reason, count }) => ({ reason, records: count })),
    tolerated: stats.tolerated.map(({ kind, count }) => ({ kind, records: count })),
    windowCtr: histogram(stats.windowCtr),
    skew: { workers: skewOf(stats.workers.map(({ events }) => events)), partitions: skewOf(stats.partitions.map(({ read }) => read)) },
  }
}

function skewOf(counts: readonly number[]): number | null {
  const sum = counts.reduce((total, count) => total + count, 0)
  return sum === 0 ? null : (counts.reduce((most, count) => Math.max(most, count), 0) * counts.length) / sum
}

/** The answer of `/ledger`, less what ClickHouse has to say. */
export function ledgerAnswer({ stats, now }: Look): Omit<ApiAnswer<'ledger'>, 'minutes'> {
  return {
    at: iso(now),
    totals: recordsOf(stats),
    partitions: stats.partitions.map((one) => ({
      topic: one.topic,
      partition: one.partition,
      records: countsOfPartition(one),
      unaccountedRecords: unaccounted(one),
    })),
  }
}

/** The answer of `/dead-letters`; the newest samples first. */
export function deadLettersAnswer({ stats, now }: Look): ApiAnswer<'deadLetters'> {
  const leftOut = new Map(stats.lettersLeftOut.map(({ reason, count }) => [reason, count]))
  const reasons = stats.invalid.map(({ reason, count }) => ({ reason, records: count, leftOutRecords: leftOut.get(reason) ?? 0 }))
  const samples = stats.letterSamples.toReversed().map(({ at, message, masked, byteAtFault, ...place }) => {
    return { at: iso(at), ...place, detail: message, masked: masked ?? null, byteAtFault: byteAtFault ?? null }
  })
  return { at: iso(now), reasons: reasons.filter(({ records, leftOutRecords }) => records + leftOutRecords > 0), samples }
}
