/**
 * Looks for a difference between the parsers of a format over made-up events: the fast readers of JSON (shapes, then JsonReader;
 * JsonRecords) and the exact ones; with --format, the compiled readers of Avro and Protobuf, the exact ones, and avsc and protobufjs; or
 * those of JSON behind a frame: node perf/differential.ts [--format json|json-schema|avro|protobuf] [--count 10_000_000] [--seed 1]
 * Exit code 0 when no difference was found, 1 with the event that shows one.
 */
import { compareParsers, shapedReader } from '../workshop/compare-parsers.ts'
import { compareRecords } from '../workshop/compare-records.ts'
import { compareShapes } from '../workshop/compare-shapes.ts'
import { compareAvro, compareFramedJson, compareProtobuf } from '../workshop/compare-values.ts'
import { scriptOptions } from '../workshop/options.ts'

/** For so many mutated events, one is made that fits a shape. */
const SHAPES_SHARE = 5
/** And a record that may be several events. */
const RECORDS_SHARE = 10

/** Values of each made-up schema. */
const VALUES_EACH = 500
const FRAMED = { avro: compareAvro, protobuf: compareProtobuf, 'json-schema': compareFramedJson } as const

const { count, seed, format } = scriptOptions('perf/differential.ts', { format: 'json', count: 10_000_000, seed: 1 })
const began = performance.now()
const share = (part: number, whole: number) => `${part.toLocaleString('en')} (${((100 * part) / whole).toFixed(1)} %)`

function onProgress(done: number): void {
  const perSecond = Math.round((done * 1000) / (performance.now() - began))
  process.stderr.write(`${done.toLocaleString('en')} events, ${perSecond.toLocaleString('en')}/s, no difference\n`)
}

/** Gives the exit code. */
function fail(difference: string): 1 {
  console.error(`DIFFERENCE\n${difference}`)
  return 1
}

function framed(name: keyof typeof FRAMED): number {
  const { values, seen, difference } = FRAMED[name]({ seed, count, valuesEach: VALUES_EACH, onProgress })
  if (difference !== undefined) return fail(difference)
  console.log(
    `${values.toLocaleString('en')} values of ${name}, seed ${seed}: no difference between the fast reader, the exact one and the oracle`,
  )
  for (const [what, times] of [...seen].toSorted()) console.log(`  ${what.padEnd(18)}  ${share(times, values)}`)
  return 0
}

function json(): number {
  const fast = shapedReader()
  const comparison = compareParsers({ parsers: { read: fast.read }, count, seed, judgeEvery: 20, onProgress })
  const shapes = compareShapes(Math.ceil(count / SHAPES_SHARE), seed)
  const records = compareRecords(Math.ceil(count / RECORDS_SHARE), seed)
  const difference = comparison.difference ?? shapes.difference ?? records.difference
  if (difference !== undefined) return fail(difference)
  const { sure, accepted, valid, judged, verdicts } = comparison
  const hits = fast.hits()
  console.log(`${count.toLocaleString('en')} events of seed ${seed}: no difference between the fast reader and the exact one`)
  console.log(`  the reader is sure  ${share(sure, count)}`)
  console.log(`  valid by exact      ${share(valid, count)}`)
  console.log(`  accepted            ${share(accepted, count)}, ${((100 * accepted) / valid).toFixed(1)} % of the valid ones`)
  console.log(`  by shapes           ${share(hits.valid + hits.refused, count)}`)
  console.log(
    `  made to fit shapes  ${[shapes.fits, shapes.ignored, shapes.refused].map((n) => n.toLocaleString('en')).join(' + ')}, besides`,
  )
  console.log(`  of several events   ${share(records.sure, records.compared)} of so many records sure, besides`)
  console.log(`    by shapes         ${share(records.shaped, records.compared)}`)
  console.log(`  judged by oracle    ${share(judged, count)}`)
  for (const [verdict, times] of verdicts) console.log(`  ${verdict.padEnd(18)}  ${share(times, count)}`)
  return 0
}

if (format === 'json') process.exitCode = json()
else if (format in FRAMED) process.exitCode = framed(format as keyof typeof FRAMED)
else throw new Error(`--format ${format}: json, ${Object.keys(FRAMED).join(', ')}`)
