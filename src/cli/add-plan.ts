/** The verb `ctr plan` on the command line. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { CODEC_NAMES } from '../batch/codec.ts'
import { countArgument, durationArgument, positiveArgument } from './arguments.ts'
import type { PlanOptions } from './options.ts'
import { type Done, verb } from './verb.ts'

const DETAILS = `
A reckoning, not a measurement: from the figures in docs/figures.md, docs/results.md and ARCHITECTURE.md, which come from one
machine, and from what the configuration asks for (rings, batches, windows that are open at once). It leaves room: --headroom
times the rate, memory as a start of the engine reckons it, disk for merges. Rows are at most so many: each product in each
window, of sliding ones one every window.slide. Windows of the calendar are taken as the longest of their unit. The brokers
and ClickHouse themselves are not in it, but for the disk of the results.
`

/** Adds it; `done` takes the exit code. */
export function addPlan(program: Command, done: Done): void {
  const description = 'Reckon what a load takes: cores, memory, partitions, network, rows and disk of ClickHouse, cost.'
  verb(
    program,
    'plan',
    description,
    'ctr plan --rate 100k --products 1M --window 10s\nctr plan --rate 1M --products 10M --window 1m --json',
  )
    .requiredOption('--rate <events>', 'events per second at their peak', positiveArgument)
    .requiredOption('--products <count>', 'products that are seen within some minutes', positiveArgument)
    .option('--window <time>', 'window.size when not given', windowArgument)
    .option('--event-bytes <count>', 'of an event', positiveArgument, EVENT_BYTES)
    .addOption(new Option('--codec <name>', 'that the topics are compressed with').choices([...CODEC_NAMES]).default('none'))
    .option('--id-bytes <count>', 'of a product id', positiveArgument, ID_BYTES)
    .option('--spread', 'the events of a product are spread over all partitions, not keyed by it')
    .option('--keep-days <count>', 'for how long windows are kept', positiveArgument, KEEP_DAYS)
    .option('--headroom <factor>', 'what the engine can take beside the rate, to come up with what it has missed', factorArgument, HEADROOM)
    .option('--pods <count>', 'at least so many, where one may be lost', countArgument, 1)
    .option('--core-price <usd>', 'of a core a month', priceArgument)
    .option('--gib-price <usd>', 'of a GiB of memory a month', priceArgument)
    .option('--disk-price <usd>', 'of a GiB of disk a month', priceArgument)
    .option('--json', 'in JSON')
    .addHelpText('after', DETAILS)
    .action(async (options: PlanOptions) => {
      const { planVerb } = await import('./plan.ts')
      done(planVerb(options))
    })
}

const EVENT_BYTES = 154
const ID_BYTES = 16
const KEEP_DAYS = 90
const HEADROOM = 2

function windowArgument(text: string): number {
  const ms = durationArgument(text)
  if (ms < 1) throw new InvalidArgumentError('It must be at least 1ms.')
  return ms
}

function factorArgument(text: string): number {
  const factor = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(factor >= 1 && factor <= 100)) throw new InvalidArgumentError('Write a number from 1 to 100, such as 2.')
  return factor
}

function priceArgument(text: string): number {
  const price = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isFinite(price)) throw new InvalidArgumentError('Write a number such as 30 or 0.1.')
  return price
}
