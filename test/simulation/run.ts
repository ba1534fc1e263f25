/**
 * npm run test:sim [-- --seeds N] [--from S] [--processes P] [--mutation NAME] [--variant sliding|several|sliding-several] [--log]
 *
 * Simulates N seeds from S on in P processes, prints what was found and one line of verdict; exits 1 when anything was.
 */
import './virtual-time.ts'
import { fork } from 'node:child_process'
import { parseArgs } from 'node:util'
import { VARIANTS } from './plan.ts'
import { type Outcome, simulate } from './simulate.ts'
import { MUTATIONS } from './world.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5000' },
    from: { type: 'string', default: '1' },
    processes: { type: 'string', default: '2' },
    mutation: { type: 'string' },
    variant: { type: 'string', default: 'usual' },
    log: { type: 'boolean', default: false },
  },
})
const mutation = MUTATIONS.find((one) => one === values.mutation)
const variant = VARIANTS.find((one) => one === values.variant)
if (variant === undefined) throw new Error(`--variant is one of: ${VARIANTS.join(', ')}`)
if (values.mutation !== undefined && mutation === undefined) throw new Error(`--mutation is one of: ${MUTATIONS.join(', ')}`)
const LOG_LINES = 60
const FAILURES_MAX = 10

interface Part {
  readonly from: number
  readonly seeds: number
}

interface Sum {
  seeds: number
  events: number
  starts: number
  simulatedMs: number
  failed: number[]
}

async function runPart({ from, seeds }: Part): Promise<Sum> {
  const sum: Sum = { seeds: 0, events: 0, starts: 0, simulatedMs: 0, failed: [] }
  for (let seed = from; seed < from + seeds && sum.failed.length < FAILURES_MAX; seed++) {
    const outcome = await simulate(seed, mutation, variant)
    sum.seeds++
    sum.events += outcome.events
    sum.starts += outcome.starts
    sum.simulatedMs += outcome.ms
    if (outcome.violations.length > 0) {
      sum.failed.push(seed)
      show(outcome)
    } else if (values.log) console.log(outcome.log.join('\n'))
  }
  return sum
}

function show({ seed, violations, log }: Outcome): void {
  const lines = values.log ? log : log.slice(-LOG_LINES)
  console.log([`not ok - seed ${seed}`, ...violations.map((one) => `  ${one}`), ...lines.map((line) => `    ${line}`)].join('\n'))
}

if (process.send !== undefined) {
  process.once('message', (part: Part) => {
    void runPart(part).then((sum) => process.send?.(sum, () => process.disconnect()))
  })
} else {
  const seeds = Number(values.seeds)
  const from = Number(values.from)
  const processes = Math.min(Number(values.processes), seeds)
  const begun = Date.now()
  const share = Math.ceil(seeds / processes)
  const parts = Array.from({ length: processes }, (_, i) => ({ from: from + i * share, seeds: Math.min(share, seeds - i * share) }))
  const sums = await Promise.all(processes === 1 ? parts.map(runPart) : parts.map(inChild))
  const total = (of: (sum: Sum) => number) => sums.reduce((all, sum) => all + of(sum), 0)
  const failed = sums.flatMap((sum) => sum.failed)
  const seconds = (Date.now() - begun) / 1000
  const done = total((sum) => sum.seeds)
  const simulated = Math.round(total((sum) => sum.simulatedMs) / 1000)
  const starts = total((sum) => sum.starts)
  const facts = `${starts} starts, ${total((sum) => sum.events)} events, ${simulated} s simulated in ${Math.round(seconds)} s`
  const verdict = failed.length === 0 ? 'ok' : 'not ok'
  console.log(`${verdict} - ${done} seeds from ${from}, ${failed.length} violated (${failed.join(', ') || 'none'}); ${facts}`)
  process.exitCode = failed.length === 0 ? 0 : 1
}

function inChild(part: Part): Promise<Sum> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, process.argv.slice(2))
    child.once('message', (sum) => resolve(sum as Sum))
    child.once('exit', (code) => reject(new Error(`a process ended with ${code} before it was through`)))
    child.send(part)
  })
}
