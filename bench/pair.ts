/**
 * `npm run bench:pair`: the engine before and after a change, in pairs of runs over one backlog (HELP, below).
 *
 * Both sides run by their public command line only, as processes of their own from checkouts of their own: their sources may be laid
 * out differently. The working tree is copied, so that it may be worked on meanwhile. In every second pair the head goes first.
 * Before the first pair each side runs once unmeasured, which compiles its code and the broker's, and tells early when the two don't make
 * the same rows. Any run that loses an event or makes other rows ends it all, without a report.
 */
import { execFileSync } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { CODEC_NAMES } from '../src/batch/codec.ts'
import { sleep } from '../src/clock.ts'
import { formatCount, formatSpan } from '../src/text.ts'
import { loadBacklog, runEngine, runMaxMs } from '../workshop/backlog.ts'
import { type Checkout, checkOut, findRevision, type Revision } from '../workshop/checkout.ts'
import { scriptOptions } from '../workshop/options.ts'
import { medianRanks, VALUES_MAX } from '../workshop/paired.ts'
import { describePlace, place, significant, writeJson } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import {
  CONFIDENCE,
  checkDigest,
  checkSummary,
  type Digest,
  describeRevision,
  measurePairs,
  type Pair,
  type PairReport,
  type PairRun,
  renderPairs,
  verdict,
} from './pair-report.ts'

const HELP = `usage: npm run bench:pair -- --base REVISION [options]

Compares the engine of two revisions: the CPU time per event, the rate and the peak of memory, in pairs of runs over one backlog.

  --base REVISION   before the change: a commit, branch or tag
  --head REVISION   after it; the working tree as it is when absent
  --pairs 15        pairs of runs; 6 are the fewest that give an interval of 95 %
  --events 5e6      events of the backlog
  --products 1000   products they are about
  --workers 1       worker threads of the engine
  --codec none      compression of the topics: ${CODEC_NAMES.join(', ')}
  --min 0.97        ends with code 1 when the lower bound of the CPU's ratio is below
  --json FILE       writes the report, every run included

A ratio above 1 says that the head is better. Let nothing else run meanwhile. It starts a broker and a ClickHouse of its own.
CPU is that of the whole process: the more events, the less the second that every start takes weighs in it.

  npm run bench:pair -- --base main --min 0.97
      does the working tree cost more CPU than main? 15 pairs, and code 1 unless the ratio is surely 0.97 or more
  npm run bench:pair -- --base HEAD --head HEAD
      how much two runs of the same engine differ on this machine`

const PARTITIONS = 4
const HASHED = 'tenant, product_id, window_start, window_end, impressions, clicks, ctr'

const say = (text: string) => process.stderr.write(`${text}\n`)

interface Revisions {
  readonly base: Revision
  readonly head: Revision
}

interface Options {
  readonly base: string
  readonly head: string
  readonly pairs: number
  readonly events: number
  readonly products: number
  readonly workers: number
  readonly codec: string
  readonly min: number
}

/** Refuses what can't lead to an answer before anything is started. */
function checkOptions({ base, pairs, events, products, workers, codec, min }: Options, json: string): void {
  if (base === '') throw new Error('--base is missing: the revision to compare with, such as main (--help tells more)')
  for (const [name, value, max] of [
    ['pairs', pairs, VALUES_MAX],
    ['events', events, 2 ** 31],
    ['products', products, events],
    ['workers', workers, 64],
  ] as const) {
    if (!Number.isInteger(value) || value < 1 || value > max) throw new Error(`--${name} ${value}: not a whole number from 1 to ${max}`)
  }
  if (!CODEC_NAMES.some((name) => name === codec)) throw new Error(`--codec ${codec}: not one of ${CODEC_NAMES.join(', ')}`)
  if (min > 0 && medianRanks(pairs, CONFIDENCE) === undefined) {
    throw new Error(`--min ${min} with --pairs ${pairs}: so few give no lower bound of 95 %; 6 are the fewest`)
  }
  if (json !== '') accessSync(dirname(resolve(json)), constants.W_OK)
}

async function comparePairs(stand: Stand, options: Options, revisions: Revisions): Promise<PairReport> {
  const { events, products, workers, codec } = options
  const here = place()
  const checkouts = await checkOutBoth(stand, revisions)
  const sides = { base: { ...revisions.base, node: nodeOf(checkouts.base) }, head: { ...revisions.head, node: nodeOf(checkouts.head) } }
  const order = { events, partitions: PARTITIONS, generate: { products }, codec: (CODEC_NAMES as readonly string[]).indexOf(codec) }
  const { seconds } = await within('producing the backlog', runMaxMs(events), loadBacklog(stand, order))
  say(`produced ${formatCount(events)} events in ${seconds.toFixed(1)} s`)
  let digest: Digest | undefined
  const run = async (side: 'base' | 'head'): Promise<PairRun> => {
    const made = await runSide(stand, side, checkouts[side], options, (got) => {
      digest ??= got
      checkDigest(side, got, digest)
    })
    say(`  ${side}: ${significant((made.cpuSeconds * 1e6) / events)} CPU s/M, ${formatCount(events / made.seconds)} events/s`)
    return made
  }
  say('unmeasured')
  await run('base')
  await run('head')
  const pairs: Pair[] = []
  for (let i = 0; i < options.pairs; i++) {
    say(`pair ${i + 1} of ${options.pairs}`)
    const first = i % 2 === 0 ? 'base' : 'head'
    const one = await run(first)
    const other = await run(first === 'base' ? 'head' : 'base')
    pairs.push(first === 'base' ? { first, base: one, head: other } : { first, base: other, head: one })
  }
  const backlog = { events, products, partitions: PARTITIONS, codec }
  const measures = measurePairs(pairs, events)
  return { kind: 'pair', place: here, ...sides, backlog, workers, digest: digest!, pairs, measures }
}

async function checkOutBoth(stand: Stand, { base, head }: Revisions): Promise<{ base: Checkout; head: Checkout }> {
  const folder = mkdtempSync(join(stand.folder, 'checkouts-'))
  const both = { base: await checkOut(base, join(folder, 'base')), head: await checkOut(head, join(folder, 'head')) }
  // Both compile into one cache that goes with the stand.
  process.env.NODE_COMPILE_CACHE = join(folder, 'compiled')
  return both
}

async function runSide(
  stand: Stand,
  side: 'base' | 'head',
  checkout: Checkout,
  { events, workers }: Options,
  check: (digest: Digest) => void,
): Promise<PairRun> {
  const made = await runEngine(stand, {
    events,
    checkout,
    clickhouseUrl: stand.clickhouse.endpoint.url,
    sets: [`engine.workers=${workers}`],
    check: async (database) => check(await digestOf(stand, database)),
  }).catch((cause: unknown) => {
    throw new Error(`${side}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  })
  checkSummary(side, made.stdout, events)
  rmSync(join(stand.folder, 'checkpoints'), { recursive: true, force: true })
  const { seconds, wallSeconds, cpuSeconds, busyCpuSeconds, peakRssBytes } = made
  return { seconds, wallSeconds, cpuSeconds, busyCpuSeconds, peakRssBytes }
}

/** By the view that readers use, which both sides have however they keep their rows. */
async function digestOf({ clickhouse }: Stand, database: string): Promise<Digest> {
  const [digest] = await clickhouse.rows<Digest>(
    `SELECT count() AS rows, sum(impressions) AS impressionsSum, sum(clicks) AS clicksSum, hex(sum(cityHash64(${HASHED}))) AS hash
     FROM db.ctr_windows`,
    database,
  )
  return digest!
}

function nodeOf({ node }: Checkout): string {
  return execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
}

/** Rejects when `work` takes longer; what still runs goes with the stand. */
async function within<T>(what: string, maxMs: number, work: Promise<T>): Promise<T> {
  const patience = new AbortController()
  const late = sleep(maxMs, patience.signal).then(() => Promise.reject(new Error(`${what} takes longer than ${formatSpan(maxMs)}`)))
  late.catch(() => {})
  return Promise.race([work, late]).finally(() => patience.abort())
}

await runScript(async () => {
  if (process.argv.includes('--help')) {
    console.log(HELP)
    return 0
  }
  const defaults = {
    base: '',
    head: '',
    pairs: 15,
    events: 5_000_000,
    products: 1000,
    workers: 1,
    codec: 'none',
    min: 0,
    json: '',
  }
  const { json, ...options } = scriptOptions('bench/pair.ts', defaults)
  checkOptions(options, json)
  const began = performance.now()
  const revisions = { base: findRevision(options.base), head: findRevision(options.head) }
  say(`base: ${describeRevision(revisions.base)}\nhead: ${describeRevision(revisions.head)}`)
  const report = await withStand((stand) => comparePairs(stand, options, revisions))
  console.log(`${describePlace(report.place)}\n${renderPairs(report)}`)
  if (json !== '') writeJson(json, report)
  say(`took ${formatSpan(performance.now() - began)}`)
  if (options.min === 0) return 0
  const { passed, text } = verdict(report.measures, options.min)
  console.log(text)
  return passed ? 0 : 1
})
