/**
 * What invalid events cost: the same number of events, all valid and then `share` of them invalid, read by `ctr run --until-end` with the
 * dead letters in a topic, as many as `per-reason` keeps, in turns:
 *
 *   node perf/invalid.ts [--events 3_000_000] [--share 0.3] [--rounds 3] [--kinds other-type]
 *      [--ignore] [--per-reason unlimited] [--min 0.5] [--json FILE]
 *
 * `kinds` are of INVALID_KINDS and IGNORED_KINDS, by commas; all of the former when ''. What would be ignored is made invalid, unless
 * --ignore is given: then it must be told as ignored, and there are no dead letters of it. Of each run every event must be
 * in ClickHouse, be a dead letter of its own, by topic, partition and offset, or be told as one that was left out. Ends with 1 when the
 * ratio of the rates is below `min`.
 */
import { IGNORED_KINDS, INVALID_KINDS } from '../src/load/generate.ts'
import { formatCount } from '../src/text.ts'
import { fresh, runEngine } from '../workshop/backlog.ts'
import { BACKLOG_FROM, startLoad } from '../workshop/load.ts'
import { scriptOptions } from '../workshop/options.ts'
import { readBack } from '../workshop/read-back.ts'
import { conclude, median, place, significant, table } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'

const DEFAULTS = { events: 3_000_000, share: 0.3, rounds: 3, kinds: 'other-type', ignore: false, 'per-reason': '', min: 0.5, json: '' }
const options = scriptOptions('perf/invalid.ts', DEFAULTS)
const PARTITIONS = 4
const EVENT_RATE = 100_000

interface Backlog {
  readonly topic: string
  readonly valid: number
  readonly invalid: number
}

async function main(stand: Stand): Promise<number> {
  const plain = await produce(stand, 'plain', 0)
  const mixed = await produce(stand, 'mixed', options.share)
  const runs = new Map<Backlog, Timing[]>([plain, mixed].map((backlog) => [backlog, []]))
  // Unmeasured first: the broker's code is compiled, its files are in the page cache.
  for (const backlog of [plain, mixed]) await run(stand, backlog)
  for (let round = 0; round < options.rounds; round++) {
    for (const backlog of round % 2 === 0 ? [plain, mixed] : [mixed, plain]) {
      const timing = await run(stand, backlog)
      runs.get(backlog)?.push(timing)
      console.error(`round ${round + 1} of ${options.rounds}: ${backlog.topic}: ${formatCount(options.events / timing.seconds)} events/s`)
    }
  }
  const rateOf = (backlog: Backlog) => median((runs.get(backlog) ?? []).map(({ seconds }) => options.events / seconds))
  const cpuOf = (backlog: Backlog) => median((runs.get(backlog) ?? []).map(({ cpuSeconds }) => (cpuSeconds * 1e6) / options.events))
  const ratio = rateOf(mixed) / rateOf(plain)
  const percent = `${significant(options.share * 100)} % invalid`
  const faults = ratio >= options.min ? [] : [`with ${percent} it is ${significant(ratio)} of the plain rate`]
  const text = table(
    ['', 'events/s', 'CPU s/M'],
    [
      ['all valid', formatCount(rateOf(plain)), significant(cpuOf(plain))],
      [percent, formatCount(rateOf(mixed)), significant(cpuOf(mixed))],
      ['ratio', significant(ratio), significant(cpuOf(plain) / cpuOf(mixed))],
    ],
  )
  const report = { place: place(), options, runs: [...runs], ratio, faults }
  return conclude(report, text, options.json)
}

async function produce(stand: Stand, topic: string, invalidShare: number): Promise<Backlog> {
  const given = options.kinds.split(',').filter((kind) => kind !== '')
  const invalidKinds = given.length === 0 ? INVALID_KINDS : [...INVALID_KINDS, ...IGNORED_KINDS].filter((kind) => given.includes(kind))
  const generate = { invalidShare, invalidKinds }
  const order = { partitions: PARTITIONS, generate, rate: 0, count: options.events, startTime: BACKLOG_FROM, eventRate: EVENT_RATE }
  const { impressions, clicks, invalid } = await startLoad(stand, { ...order, topics: [topic] }).done
  return { topic, valid: impressions + clicks, invalid }
}

/** Of the engine, from the first record to the last. */
interface Timing {
  readonly seconds: number
  readonly cpuSeconds: number
}

/** One run over the backlog. */
async function run(stand: Stand, { topic, valid, invalid }: Backlog): Promise<Timing> {
  const letters = fresh()
  const sets = options.ignore ? [] : ['events.types.other=invalid', 'events.empty=invalid']
  if (options['per-reason'] !== '') sets.push(`deadLetter.perReason=${options['per-reason']}`)
  const {
    seconds,
    busyCpuSeconds: cpuSeconds,
    stdout,
  } = await runEngine(stand, { events: valid, topics: [topic], deadLetterTopic: letters, sets })
  if (invalid === 0) return { seconds, cpuSeconds }
  const seen = new Set<string>()
  await readBack(stand.brokers, [letters], ({ value }) => {
    const { rawTopic, partition, offset } = JSON.parse(String(value)) as { rawTopic: string; partition: number; offset: number }
    seen.add(`${rawTopic}/${partition}/${offset}`)
  })
  const told = (word: string) => Number((new RegExp(`${word}\\s+([\\d,]+)`).exec(stdout)?.[1] ?? '0').replaceAll(',', ''))
  const [leftOut, ignored] = [told('not kept'), told('ignored')]
  if (seen.size + leftOut + ignored !== invalid)
    throw new Error(`${seen.size} dead letters, ${leftOut} left out, ${ignored} ignored: ${invalid} events are neither`)
  return { seconds, cpuSeconds }
}

await runScript(() => withStand(main))
