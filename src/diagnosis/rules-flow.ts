/**
 * Rules on the flow while nothing is in trouble: what is slowest of ClickHouse, workers, main and broker, or which partition holds windows.
 * What waits shows at the front (lag, full rings), so each rule asks first whether the cause lies further behind: ClickHouse before the
 * workers, a worker before main, main before the broker.
 */
import { formatCount, formatSpan } from '../text.ts'
import { isHeld } from './rules-trouble.ts'
import type { EngineSample, PartitionSample } from './sample.ts'
import type { Rule, Symptom } from './symptom.ts'

/** A state of the flow must last: rates are of some seconds, and rings fill and empty. */
const LASTING = { enterMs: 5_000, leaveMs: 10_000 }

const INSERT_SHARE_MIN = 0.85
const RING_FULL_SHARE = 0.8
const RING_FREE_SHARE = 0.5
const BACKPRESSURE_MIN = 0.05
const BUSY_CORES = 0.85
const LAG_MIN_SECONDS = 5
/** Nobody waits for so few. */
const LAG_MIN_RECORDS = 1_000

/** Rows wait while inserts are under way all the time. */
function clickHouseIsSlow({ sink: { insertShare }, rowsPending, rates }: EngineSample): boolean {
  return insertShare !== null && insertShare >= INSERT_SHARE_MIN && rowsPending > Math.max(LAG_MIN_RECORDS, rates.rowsPerSecond * 2)
}

/** More waits than is read in some seconds. */
function lags({ lagRecords, rates }: Pick<EngineSample, 'lagRecords' | 'rates'>): boolean {
  return lagRecords !== null && lagRecords > Math.max(LAG_MIN_RECORDS, rates.recordsPerSecond * LAG_MIN_SECONDS)
}

function grows(sample: EngineSample, before: EngineSample | undefined): boolean {
  return before?.lagRecords != null && sample.lagRecords !== null && sample.lagRecords >= before.lagRecords
}

function coresOf(sample: EngineSample, thread: RegExp): number {
  return Math.max(0, ...sample.cost.threads.filter((each) => thread.test(each.thread)).map(({ coresUsed }) => coresUsed))
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}

/** How long the reader is behind, in words; '' when nobody knows. */
function behind({ lagRecords, behindSeconds }: EngineSample): string {
  const records = lagRecords === null ? '' : `${formatCount(lagRecords)} records wait`
  return behindSeconds === null ? records : `${records}, ${formatSpan(behindSeconds * 1000)} behind`
}

const clickhouse: Rule = {
  cause: 'clickhouse',
  ...LASTING,
  look(sample) {
    if (isHeld(sample) || !clickHouseIsSlow(sample)) return undefined
    const { rowsPending, rates, sink } = sample
    const sentence =
      `ClickHouse takes rows more slowly than they come: ${formatCount(rowsPending)} wait, ${formatCount(rates.rowsPerSecond)} a second ` +
      `are written, and an insert is under way for ${percent(sink.insertShare ?? 0)} of the time.`
    const remedy = 'See what ClickHouse does (merges, disk, other queries), raise clickhouse.batchRows, or make windows or products fewer.'
    return { subject: '', severity: lags(sample) ? 'critical' : 'warning', sentence, remedy, amount: rowsPending }
  },
}

const worker: Rule = {
  cause: 'worker',
  ...LASTING,
  look(sample) {
    const { workers, rates } = sample
    if (isHeld(sample) || clickHouseIsSlow(sample) || rates.backpressureShare < BACKPRESSURE_MIN) return undefined
    const full = workers.filter(({ ringFillShare }) => ringFillShare >= RING_FULL_SHARE)
    if (full.length === 0) return undefined
    const waits = `reading waits for ${percent(rates.backpressureShare)} of the time`
    const [busiest] = full.toSorted((a, b) => b.ringFillShare - a.ringFillShare)
    const others = workers.filter((each) => each !== busiest)
    const free = others.filter(({ ringFillShare }) => ringFillShare < RING_FREE_SHARE)
    if (busiest !== undefined && full.length === 1 && others.length > 0 && free.length === others.length) {
      const most = percent(Math.max(...others.map(({ ringFillShare }) => ringFillShare)))
      const sentence =
        `Worker ${busiest.worker} can’t keep up: its ring is ${percent(busiest.ringFillShare)} full, those of the others ${most} ` +
        `at most, and ${waits}.`
      const remedy =
        'Its products are hotter than others: see the hot products under Products. A product is counted by one worker; more workers ' +
        'spread the rest.'
      return { subject: `worker ${busiest.worker}`, severity: 'warning', sentence, remedy, amount: rates.backpressureShare }
    }
    const sentence = `The workers can’t keep up: the rings of ${full.length} of ${workers.length} are full, and ${waits}.`
    const remedy = 'Raise engine.workers if there are cores left, or start another process of the group.'
    return { subject: '', severity: 'warning', sentence, remedy, amount: rates.backpressureShare }
  },
}

function ringsWait({ workers, rates }: EngineSample): boolean {
  return rates.backpressureShare >= BACKPRESSURE_MIN && workers.some(({ ringFillShare }) => ringFillShare >= RING_FULL_SHARE)
}

const main: Rule = {
  cause: 'main',
  ...LASTING,
  look(sample, before) {
    const cores = coresOf(sample, /^main$/)
    if (isHeld(sample) || clickHouseIsSlow(sample) || ringsWait(sample) || !lags(sample) || !grows(sample, before)) return undefined
    if (cores < BUSY_CORES) return undefined
    const sentence = `The main thread reads all that it can (${percent(cores)} of a core), and more comes: ${behind(sample)}.`
    const remedy = 'Start another process of the group: it takes over part of the partitions. More workers don’t help here.'
    return { subject: '', severity: 'warning', sentence, remedy, amount: sample.lagRecords ?? 0 }
  },
}

const broker: Rule = {
  cause: 'broker',
  ...LASTING,
  look(sample, before) {
    if (isHeld(sample) || clickHouseIsSlow(sample) || ringsWait(sample) || !lags(sample) || !grows(sample, before)) return undefined
    if (coresOf(sample, /^main$/) >= BUSY_CORES || waitsForTime(sample) || singleLag(sample) !== undefined) return undefined
    const cores = coresOf(sample, /^main$/)
    const busy = `main is busy for ${percent(cores)} of the time only`
    const sentence = `The broker gives less than could be counted: ${behind(sample)}, while ${busy}.`
    const remedy =
      'Look at the brokers’ disks, network and quotas (throttle time). kafka.fetchBytesPerPartition and kafka.maxWait say how much is ' +
      'asked for at once.'
    return { subject: '', severity: 'warning', sentence, remedy, amount: sample.lagRecords ?? 0 }
  },
}

/** What lags is paused on purpose, for it is ahead of its task: the one that it waits for is the cause. */
function waitsForTime({ partitions }: EngineSample): boolean {
  const lagging = partitions.filter(({ lagRecords }) => (lagRecords ?? 0) > LAG_MIN_RECORDS)
  return lagging.length > 0 && lagging.every(({ paused }) => paused)
}

/** The partition that has nearly all of the lag, of several that could. */
function singleLag({ partitions, lagRecords }: EngineSample): PartitionSample | undefined {
  if (lagRecords === null || partitions.length < 3) return undefined
  const [most] = partitions.filter(({ paused }) => !paused).toSorted((a, b) => (b.lagRecords ?? 0) - (a.lagRecords ?? 0))
  return most !== undefined && (most.lagRecords ?? 0) > 0.8 * lagRecords ? most : undefined
}

const partition: Rule = {
  cause: 'partition',
  ...LASTING,
  look(sample, before) {
    if (isHeld(sample) || clickHouseIsSlow(sample) || ringsWait(sample) || !lags(sample) || !grows(sample, before)) return undefined
    const most = singleLag(sample)
    if (most === undefined || coresOf(sample, /^main$/) >= BUSY_CORES) return undefined
    const name = `${most.topic}/${most.partition}`
    const late = most.behindSeconds === null ? '' : `, ${formatSpan(most.behindSeconds * 1000)} behind`
    const sentence = `One partition is behind: of the records that wait, ${formatCount(most.lagRecords ?? 0)} are in ${name}${late}.`
    const rate = `${formatCount(most.recordsPerSecond)} records a second are read of it`
    const remedy = `See its leader broker, and whether producers send too much to one key: ${rate}.`
    return { subject: name, severity: 'warning', sentence, remedy, amount: most.lagRecords ?? 0 }
  },
}

/** Windows wait so long for one partition while its fellows are further. */
const HELD_MIN_SECONDS = 20

const watermark: Rule = {
  cause: 'watermark',
  ...LASTING,
  look(sample) {
    if (isHeld(sample)) return undefined
    const [held] = sample.tasks
      .filter(({ heldBy }) => (heldBy?.bySeconds ?? 0) >= HELD_MIN_SECONDS)
      .toSorted((a, b) => (b.heldBy?.bySeconds ?? 0) - (a.heldBy?.bySeconds ?? 0))
    if (held?.heldBy == null) return undefined
    const { topic, partition: number, bySeconds } = held.heldBy
    const found = sample.partitions.find((each) => each.topic === topic && each.partition === number)
    // What has records to read holds its task because it is read too slowly: the rules above know of whom.
    if ((found?.lagRecords ?? 0) > LAG_MIN_RECORDS) return undefined
    return heldSymptom(`${topic}/${number}`, held.task, bySeconds ?? 0, found)
  },
}

function heldSymptom(name: string, task: number, bySeconds: number, found: PartitionSample | undefined): Symptom {
  const silent = found === undefined || found.recordsPerSecond === 0
  const why = silent ? 'brings no records' : 'brings records that are older than those of its fellows'
  const sentence = `${name} ${why}, and holds the windows of task ${task} back by ${formatSpan(bySeconds * 1000)}.`
  const remedy = silent
    ? 'See whether its producer lives. After time.idleTimeout it counts as idle, and the others go on without it.'
    : 'See the clock or the delay of its producer. Windows wait for it, so that none of its events is late.'
  return { subject: name, severity: 'warning', sentence, remedy, amount: bySeconds }
}

const catchingUp: Rule = {
  cause: 'catching-up',
  ...LASTING,
  look(sample, before) {
    if (isHeld(sample) || !lags(sample) || grows(sample, before) || before === undefined) return undefined
    const sentence = `It catches up: ${behind(sample)}, and ${formatCount(sample.rates.recordsPerSecond)} a second are read.`
    return { subject: '', severity: 'info', sentence, remedy: 'Nothing: it is getting less.', amount: sample.lagRecords ?? 0 }
  },
}

const quiet: Rule = {
  cause: 'quiet',
  enterMs: 10_000,
  leaveMs: 2_000,
  look(sample) {
    if (sample.state !== 'running' || isHeld(sample) || sample.rates.recordsPerSecond > 0 || (sample.lagRecords ?? 0) > 0) return undefined
    const none = sample.partitions.length === 0
    const sentence = none
      ? 'This process has no partitions: others of its group have them all.'
      : 'No records come: everything there is has been read.'
    const remedy = none
      ? 'Nothing, if it stands by. More partitions, or fewer processes, give it something to do.'
      : 'Nothing, if producers are quiet. `ctr doctor` looks whether the topics are those that are written to.'
    return { subject: '', severity: 'info', sentence, remedy, amount: 0 }
  },
}

/** Those that come sooner are further behind in the flow: causes of the later ones. */
export const FLOW_RULES: readonly Rule[] = [clickhouse, worker, main, partition, broker, watermark]

/** What is worth saying when nothing is wrong. */
export const CALM_RULES: readonly Rule[] = [catchingUp, quiet]
