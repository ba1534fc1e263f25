/**
 * The engine and its peers over the same topics of a real broker, in one run, taking turns:
 *
 *   node bench/end-to-end.ts [--events 10_000_000] [--rounds 3] [--workers 1] [--only ctr,kafkajs] [--json FILE]
 *
 * Broker, ClickHouse and whoever reads share the machine. Nothing is printed of a run whose counts or rows are wrong.
 */
import { formatCount } from '../src/cli/format.ts'
import { type Arena, CONTESTANTS, type Contestant, type Run, warmUp } from './contestants.ts'
import { BACKLOG_FROM, startLoad } from './support/load.ts'
import { scriptOptions } from './support/options.ts'
import { describePlace, median, type Place, place, significant, table, writeJson } from './support/report.ts'
import { runScript, withStand } from './support/stand.ts'

export interface EndToEndOptions {
  readonly events: number
  readonly rounds: number
  readonly workers: number
  /** Names, comma-separated; '' for all. */
  readonly only: string
}

export interface EndToEndReport {
  readonly place: Place
  readonly events: number
  readonly workers: number
  /** Rows that all who make rows agree on. */
  readonly rows: number
  readonly results: readonly { readonly name: string; readonly what: string; readonly runs: readonly Run[] }[]
}

export const END_TO_END_DEFAULTS = { events: 10_000_000, rounds: 3, workers: 1, only: '' }

const PRODUCTS = 1000
const PARTITIONS = 4
/** Of event time: the events spread over a window per million. */
const EVENT_RATE = 100_000
/** Ten times slower than stock kafkajs on a small machine. */
const RUN_EVENTS_PER_SECOND_MIN = 30_000
const RUN_START_MAX_MS = 60_000

/** Produces, lets all run in turns, and gives what was measured. */
export async function runEndToEnd({ events, rounds, workers, only }: EndToEndOptions): Promise<EndToEndReport> {
  const names = only.split(',').filter((name) => name !== '')
  const unknown = names.find((name) => !CONTESTANTS.some((one) => one.name === name))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: not one of ${CONTESTANTS.map(({ name }) => name).join(', ')}`)
  const contestants = CONTESTANTS.filter(({ name }) => names.length === 0 || names.includes(name))
  return withStand(async (stand) => {
    const say = (text: string) => process.stderr.write(`${text}\n`)
    const load = startLoad(stand, {
      partitions: PARTITIONS,
      generate: { products: PRODUCTS },
      rate: 0,
      count: events,
      startTime: BACKLOG_FROM,
      eventRate: EVENT_RATE,
    })
    const loaded = await load.done
    if (loaded.impressions + loaded.clicks !== events)
      throw new Error(`${loaded.impressions + loaded.clicks} events were produced, not ${events}`)
    say(`produced ${formatCount(events)} events in ${loaded.seconds.toFixed(1)} s (${formatCount(events / loaded.seconds)}/s)`)
    const runMaxMs = RUN_START_MAX_MS + (events / RUN_EVENTS_PER_SECOND_MIN) * 1000
    const arena: Arena = { stand, events, workers, runMaxMs, reference: undefined }
    // The broker's own code is compiled, and its files are in the page cache, before anybody is measured.
    await warmUp(arena)
    const runs = new Map<Contestant, Run[]>(contestants.map((one) => [one, []]))
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? contestants : contestants.toReversed()
      for (const one of order) {
        const run = await one.run(arena)
        runs.get(one)?.push(run)
        say(`round ${round + 1} of ${rounds}: ${one.name}: ${run.seconds.toFixed(2)} s, ${formatCount(events / run.seconds)} events/s`)
      }
    }
    const results = [...runs].map(([{ name, what }, list]) => ({ name, what, runs: list }))
    return { place: place(), events, workers, rows: arena.reference?.rows.size ?? 0, results }
  })
}

/** What a person reads: medians over the rounds, and how the engine compares. */
export function renderEndToEnd({ events, workers, rows, results }: EndToEndReport): string {
  const ours = results.find(({ name }) => name === 'ctr')
  const rate = (runs: readonly Run[]) => median(runs.map(({ seconds }) => events / seconds))
  const cpu = (runs: readonly Run[]) => median(runs.map(({ cpuSeconds }) => (cpuSeconds * 1e6) / events))
  const lines = results.map(({ name, runs }) => [
    name,
    significant(median(runs.map(({ seconds }) => seconds))),
    formatCount(rate(runs)),
    formatCount(median(runs.map(({ wallSeconds }) => events / wallSeconds))),
    significant(cpu(runs)),
    formatCount(median(runs.map(({ peakRssBytes }) => peakRssBytes / 2 ** 20))),
    ours === undefined ? '-' : `${significant(rate(ours.runs) / rate(runs))} x`,
    ours === undefined ? '-' : `${significant(cpu(runs) / cpu(ours.runs))} x`,
  ])
  const head = ['', 'seconds', 'events/s', 'whole process', 'CPU s/M', 'peak MiB', 'ctr is faster', 'ctr spends less']
  const rounds = results[0]?.runs.length ?? 0
  return [
    `${formatCount(events)} events, ${PRODUCTS} products, ${PARTITIONS} partitions x 2 topics, uncompressed; ctr with ${workers} worker(s)`,
    `medians of ${rounds} round(s); every event counted once${rows === 0 ? '' : `, ${formatCount(rows)} rows the same`}`,
    '',
    table(head, lines),
    '',
    'seconds, events/s: from having joined the group (ctr: its log says running) to the last record read (draining)',
    'whole process: events over the time from start to exit; CPU: user + system of that process, start included; peak: VmHWM',
    ...results.map(({ name, what }) => `${name}: ${what}`),
  ].join('\n')
}

if (import.meta.main) {
  await runScript(async () => {
    const { json, ...options } = scriptOptions('bench/end-to-end.ts', { ...END_TO_END_DEFAULTS, json: '' })
    const report = await runEndToEnd(options)
    console.log(`${describePlace(report.place)}\n\n${renderEndToEnd(report)}`)
    if (json !== '') writeJson(json, report)
    return 0
  })
}
