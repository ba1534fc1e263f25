/**
 * The engine and its peers over the same topics of a real broker, in one run, taking turns:
 *
 *   node bench/end-to-end.ts [--events 10_000_000] [--rounds 3] [--workers 1] [--only ctr,kafkajs] [--json FILE]
 *
 * Broker, ClickHouse and whoever reads share the machine. Nothing is printed of a run whose counts or rows are wrong.
 */
import { formatCount } from '../src/text.ts'
import { loadBacklog, type Run, runMaxMs } from '../workshop/backlog.ts'
import { TOPICS } from '../workshop/load.ts'
import { scriptOptions } from '../workshop/options.ts'
import { describePlace, median, place, significant, table, writeJson } from '../workshop/report.ts'
import { runScript, withStand } from '../workshop/stand.ts'
import type { BenchReport, EndToEndReport } from './bench-report.ts'
import { type Arena, CONTESTANTS, type Contestant, warmUp } from './contestants.ts'

export interface EndToEndOptions {
  readonly events: number
  readonly rounds: number
  readonly workers: number
  /** Names, comma-separated; '' for all. */
  readonly only: string
}

export const END_TO_END_DEFAULTS = { events: 10_000_000, rounds: 3, workers: 1, only: '' }

const PRODUCTS = 1000
const PARTITIONS = 4

/** Produces, lets all run in turns, and gives what was measured. */
export async function runEndToEnd({ events, rounds, workers, only }: EndToEndOptions): Promise<EndToEndReport> {
  const names = only.split(',').filter((name) => name !== '')
  const unknown = names.find((name) => !CONTESTANTS.some((one) => one.name === name))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: not one of ${CONTESTANTS.map(({ name }) => name).join(', ')}`)
  const say = (text: string) => process.stderr.write(`${text}\n`)
  const { ready: contestants, notRun } = await prepared(CONTESTANTS.filter(({ name }) => names.length === 0 || names.includes(name)))
  for (const { name, reason } of notRun) say(`not run: ${name}: ${reason}`)
  return withStand(async (stand) => {
    const loaded = await loadBacklog(stand, { events, partitions: PARTITIONS, generate: { products: PRODUCTS } })
    say(`produced ${formatCount(events)} events in ${loaded.seconds.toFixed(1)} s (${formatCount(events / loaded.seconds)}/s)`)
    const arena: Arena = { stand, events, workers, topics: TOPICS, runMaxMs: runMaxMs(events), reference: {} }
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
    return { place: place(), events, workers, rows: arena.reference.first?.rows.size ?? 0, results, notRun }
  })
}

/** Builds what takes building. */
async function prepared(contestants: readonly Contestant[]): Promise<{ ready: Contestant[]; notRun: EndToEndReport['notRun'][number][] }> {
  const ready: Contestant[] = []
  const notRun: EndToEndReport['notRun'][number][] = []
  for (const one of contestants) {
    try {
      await one.prepare?.()
      ready.push(one)
    } catch (error) {
      notRun.push({ name: one.name, what: one.what, reason: error instanceof Error ? error.message : String(error) })
    }
  }
  return { ready, notRun }
}

/** What a person reads: medians over the rounds, and how the engine compares. */
export function renderEndToEnd({ events, workers, rows, results, notRun }: Omit<EndToEndReport, 'place'>): string {
  const ours = results.find(({ name }) => name === 'ctr')
  const rate = (runs: readonly Run[]) => median(runs.map(({ seconds }) => events / seconds))
  const cpu = (runs: readonly Run[]) => median(runs.map(({ cpuSeconds }) => (cpuSeconds * 1e6) / events))
  const busy = (runs: readonly Run[]) => {
    const known = runs.flatMap(({ busyCpuSeconds }) => busyCpuSeconds ?? [])
    return known.length === 0 ? '' : significant((median(known) * 1e6) / events)
  }
  const lines = results.map(({ name, runs }) => [
    name,
    significant(median(runs.map(({ seconds }) => seconds))),
    formatCount(rate(runs)),
    formatCount(median(runs.map(({ wallSeconds }) => events / wallSeconds))),
    significant(cpu(runs)),
    busy(runs),
    formatCount(median(runs.map(({ peakRssBytes }) => peakRssBytes / 2 ** 20))),
    ours === undefined ? '-' : `${significant(rate(ours.runs) / rate(runs))} x`,
    ours === undefined ? '-' : `${significant(cpu(runs) / cpu(ours.runs))} x`,
  ])
  const head = ['', 'seconds', 'events/s', 'whole process', 'CPU s/M', 'reading', 'peak MiB', 'ctr is faster', 'ctr spends less']
  const rounds = results[0]?.runs.length ?? 0
  return [
    `${formatCount(events)} events, ${PRODUCTS} products, ${PARTITIONS} partitions x 2 topics, uncompressed; ctr with ${workers} worker(s)`,
    `medians of ${rounds} round(s); every event counted once${rows === 0 ? '' : `, ${formatCount(rows)} rows the same`}`,
    '',
    table(head, lines),
    '',
    'seconds, events/s: from having joined the group (ctr: its log says running) to the last record read (draining)',
    'whole process: events over the time from start to exit; CPU: user + system of that process, start included; peak: VmHWM',
    'reading: CPU s/M of the engine from running to draining, without its start and its end',
    'JVMs: heap of 1 to 2 GiB; start and compiling are part of CPU and memory; second half: of the last half of the events only',
    ...results.map(({ name, what, runs }) => `${name}: ${what}${secondHalf(runs, events / 2)}`),
    ...notRun.map(({ name, what, reason }) => `not run: ${name} (${what}): ${reason}`),
  ].join('\n')
}

/** What is known of the second half alone, in words. */
function secondHalf(runs: readonly Run[], events: number): string {
  const halves = runs.flatMap((run) => run.secondHalf ?? [])
  if (halves.length === 0) return ''
  const rate = formatCount(median(halves.map(({ seconds }) => events / seconds)))
  const cpu = significant(median(halves.map(({ cpuSeconds }) => (cpuSeconds * 1e6) / events)))
  return ` (second half: ${rate} events/s, ${cpu} CPU s/M)`
}

if (import.meta.main) {
  await runScript(async () => {
    const { json, ...options } = scriptOptions('bench/end-to-end.ts', { ...END_TO_END_DEFAULTS, json: '' })
    const { place: here, ...endToEnd } = await runEndToEnd(options)
    console.log(`${describePlace(here)}\n\n${renderEndToEnd(endToEnd)}`)
    const report: BenchReport = { kind: 'bench', place: here, micro: undefined, endToEnd }
    if (json !== '') writeJson(json, report)
    return 0
  })
}
