/**
 * `npm run bench:formats`: the engine over the same events in each format, and as other producers write JSON, end to end and taking turns;
 * and a peer that reads Avro by avsc.
 *
 *   node bench/formats.ts [--events 5_000_000] [--rounds 3] [--workers 1] [--only avro,protobuf] [--json FILE]
 *
 * Every kind has topics of its own on a real broker; schemas are in a real registry. JSON as generated takes part always: the others are
 * compared with its run of the same round. A run counts only when every event is in ClickHouse, in the same rows as all other kinds made
 * that are of the same products and events.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { formatCount } from '../src/text.ts'
import { type Apicurio, startApicurio } from '../workshop/apicurio.ts'
import { loadBacklog, type Run, runMaxMs } from '../workshop/backlog.ts'
import { formatTopics } from '../workshop/format-topics.ts'
import { scriptOptions } from '../workshop/options.ts'
import { rowsHash } from '../workshop/oracle.ts'
import { describePlace, place, significant, writeJson } from '../workshop/report.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import { type Arena, type Reference, runOurs, runScripted, warmUp } from './contestants.ts'
import { type Kind, kindsOf, type MeasuredKind, readingOf, renderKinds, SAME_ROWS } from './format-kinds.ts'
import { valueBytesOf } from './growth-axes.ts'

const PARTITIONS = 4
const PRODUCTS = 1000

const options = scriptOptions('bench/formats.ts', { events: 5_000_000, rounds: 3, workers: 1, only: '', json: '' })
const say = (text: string) => process.stderr.write(`${text}\n`)

/** A kind whose events are in topics. */
interface Loaded {
  readonly kind: Kind
  readonly arena: Arena
  readonly sets: readonly string[]
  readonly valueBytes: number
  readonly runs: Run[]
}

async function main(stand: Stand, kinds: readonly Kind[]): Promise<number> {
  const { events, rounds } = options
  await using registry = kinds.some(({ format }) => format !== 'json') ? await startApicurio() : undefined
  const references = new Map<string, Reference>()
  const topics = new Map<string, Loaded>()
  const all: Loaded[] = []
  for (const kind of kinds) {
    const loaded = await load(stand, kind, registry, references, topics)
    topics.set(kind.name, loaded)
    all.push(loaded)
  }
  // The broker's own code is compiled, and its files are in the page cache, before anybody is measured.
  for (const { kind, arena } of all) if (kind.reads === undefined) await warmUp({ ...arena, events })
  for (let round = 0; round < rounds; round++) {
    for (const one of round % 2 === 0 ? all : all.toReversed()) {
      const run = await runKind(one, registry)
      one.runs.push(run)
      const cpu = significant((readingOf(run) * 1e6) / events)
      say(`round ${round + 1} of ${rounds}: ${one.kind.name}: ${formatCount(events / run.seconds)} events/s, ${cpu} CPU s/M`)
      rmSync(join(stand.folder, 'checkpoints'), { recursive: true, force: true })
    }
    if (round + 1 < rounds) say(`\n${renderKinds(measuredOf(all), events)}\n`)
  }
  const measured = measuredOf(all)
  const rows = references.get(SAME_ROWS)?.first?.rows ?? new Map()
  const report = { place: place(), options, rows: rows.size, hash: rowsHash(rows.values()), kinds: measured }
  console.log(`${describePlace(report.place)}
${formatCount(events)} events, ${formatCount(PRODUCTS)} products, ${PARTITIONS} partitions x 2 topics of each kind, uncompressed
${options.workers} worker(s)
all events in ClickHouse in every run, ${formatCount(report.rows)} rows the same (SHA-256 ${report.hash.slice(0, 16)})

${renderKinds(measured, events)}`)
  if (options.json !== '') writeJson(options.json, report)
  return 0
}

function measuredOf(all: readonly Loaded[]): MeasuredKind[] {
  return all.map(({ kind, valueBytes, runs }) => ({ name: kind.name, what: kind.what, valueBytes, runs }))
}

async function load(
  stand: Stand,
  kind: Kind,
  registry: Apicurio | undefined,
  references: Map<string, Reference>,
  known: ReadonlyMap<string, Loaded>,
): Promise<Loaded> {
  const other = known.get(kind.reads ?? '')
  if (other !== undefined) return { ...other, kind, runs: [] }
  const { name, format, rows } = kind
  const generate = { products: PRODUCTS, ...kind.generate }
  const { topics, encoding, sets } = await formatTopics(name, format, registry)
  const loaded = await loadBacklog(stand, { events: options.events, topics, partitions: PARTITIONS, generate, encoding })
  say(`${name}: produced in ${loaded.seconds.toFixed(1)} s`)
  const reference = references.get(rows) ?? {}
  references.set(rows, reference)
  const arena = {
    stand,
    events: loaded.impressions + loaded.clicks,
    workers: options.workers,
    topics,
    runMaxMs: runMaxMs(options.events),
    reference,
  }
  return { kind, arena, sets: [...sets, ...kind.sets], valueBytes: valueBytesOf(generate, encoding), runs: [] }
}

async function runKind({ kind, arena, sets }: Loaded, registry: Apicurio | undefined): Promise<Run> {
  if (kind.reads === undefined) return runOurs(kind.name, arena, sets)
  return runScripted(kind.name, 'stock-kafkajs.ts', arena, true, ['--registry', registry?.url ?? ''])
}

await runScript(async () => {
  const kinds = kindsOf(options.only)
  return withStand((stand) => main(stand, kinds))
})
