/**
 * Looks for a difference between the fast parser (shapes, then scan) and the exact one over made-up events:
 * node perf/differential.ts [--count 10000000] [--seed 1]
 * Exit code 0 when no difference was found, 1 with the event that shows one.
 */
import { parseArgs } from 'node:util'
import { exact } from '../src/format/json-exact.ts'
import { REASONS } from '../src/format/reasons.ts'
import { compareParsers, shapedScan } from '../workshop/compare-parsers.ts'
import { compareShapes } from '../workshop/compare-shapes.ts'

/** For so many mutated events, one is made that fits a shape. */
const SHAPES_SHARE = 5

const { values } = parseArgs({ options: { count: { type: 'string', default: '10000000' }, seed: { type: 'string', default: '1' } } })
const count = Number(values.count)
const seed = Number(values.seed)
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed)) {
  console.error('usage: node perf/differential.ts [--count 10000000] [--seed 1]; both are whole numbers, count at least 1')
  process.exit(2)
}

const began = performance.now()
const fast = shapedScan()
const comparison = compareParsers({
  parsers: { scan: fast.scan, exact },
  count,
  seed,
  judgeEvery: 20,
  onProgress: (done) => {
    const seconds = (performance.now() - began) / 1000
    process.stderr.write(`${done.toLocaleString('en')} events, ${Math.round(done / seconds).toLocaleString('en')}/s, no difference\n`)
  },
})

const shapes = compareShapes(Math.ceil(count / SHAPES_SHARE), seed)
const difference = comparison.difference ?? shapes.difference
if (difference !== undefined) {
  console.error(`DIFFERENCE\n${difference}`)
  process.exit(1)
}
const { accepted, valid, judged, reasons } = comparison
const share = (part: number, whole: number) => `${part.toLocaleString('en')} (${((100 * part) / whole).toFixed(1)} %)`
console.log(`${count.toLocaleString('en')} events of seed ${seed}: no difference between scan and exact`)
console.log(`  valid by exact      ${share(valid, count)}`)
console.log(`  accepted by scan    ${share(accepted, count)}, ${((100 * accepted) / valid).toFixed(1)} % of the valid ones`)
console.log(`  by shapes           ${share(fast.hits(), count)}`)
console.log(`  made to fit shapes  ${shapes.fits.toLocaleString('en')} accepted, besides`)
console.log(`  judged by oracle    ${share(judged, count)}`)
reasons.forEach((reasonCount, reason) => {
  if (reasonCount > 0) console.log(`  ${(REASONS[reason] ?? '').padEnd(18)}  ${share(reasonCount, count)}`)
})
