/** `ctr plan`: what a load takes. */
import { loadConfig } from '../config/load.ts'
import { formatDuration } from '../config/units.ts'
import { CtrError } from '../errors.ts'
import { type CapacityPlan, capacityOf, type Load, USUAL_PRICES } from '../plan/plan.ts'
import { formatBytes, formatCount, formatSpan } from '../text.ts'
import type { PlanOptions } from './options.ts'

/** Writes the plan to `write`; returns the exit code. Throws CTR_CONFIG, CTR_USAGE. */
export function planVerb(options: PlanOptions, write: (text: string) => void = (text) => void process.stdout.write(text)): number {
  // As a key of the configuration, so that what the engine would refuse is refused here, too.
  const window = options.window === undefined ? [] : [`window.size=${formatDuration(options.window)}`]
  const config = loadConfig({ file: options.config, sets: [...options.set, ...window] })
  if (options.window !== undefined && config.window.type === 'calendar') {
    const remedy = 'leave it out, or plan other windows with --set window.type=tumbling'
    const what = `--window ${formatDuration(options.window)}: window.unit says how long windows of the calendar are`
    throw new CtrError('CTR_USAGE', `${what}; ${remedy}`)
  }
  const { rate, products, eventBytes, codec, idBytes, spread = false, keepDays, headroom, pods } = options
  const { corePrice = USUAL_PRICES.core, gibPrice = USUAL_PRICES.gib, diskPrice = USUAL_PRICES.diskGib } = options
  const load: Load = {
    rate,
    products,
    windowMs: config.window.size,
    slideMs: config.window.slide,
    eventBytes,
    codec,
    idBytes,
    keyed: !spread,
    keptDays: keepDays,
    headroom,
    pods,
    prices: { core: corePrice, gib: gibPrice, diskGib: diskPrice },
  }
  const plan = capacityOf(load, config)
  write(options.json === true ? `${JSON.stringify({ load, ...plan }, null, 2)}\n` : `${linesOf(load, plan).join('\n')}\n`)
  return 0
}

function linesOf(load: Load, { cpu, pods, partitions, memory, network, clickhouse, cost }: CapacityPlan): string[] {
  const line = (name: string, value: string, why: string) => `${name.padEnd(12)} ${value.padStart(14)}   ${why}`
  const cores = (value: number) => value.toFixed(2)
  const parts = `${formatBytes(memory.fixed)} fixed, ${formatBytes(memory.products)} products, ${formatBytes(memory.windows)} windows`
  const usd = (value: number) => `${formatCount(Math.ceil(value))} USD`
  const busy = `the reading thread is ${Math.round(cpu.mainShare * 100)} % busy`
  const costs = `${usd(cost.cores)} cores, ${usd(cost.memory)} memory, ${usd(cost.disk)} disk`
  const disk = `${formatBytes(clickhouse.diskPerDay)} a day, ${formatCount(load.keptDays)} days, with room for merges`
  const slide = load.slideMs === undefined ? '' : `, one every ${formatSpan(load.slideMs)}`
  return [
    `${formatCount(load.rate)} events/s of ${formatCount(load.products)} products in windows of ${formatSpan(load.windowMs)}${slide}`,
    '',
    line('pods', formatCount(pods.planned), `${formatCount(pods.needed)} needed at ${load.headroom} times the rate; ${busy}`),
    line('cores', cores(cpu.coresPerPod), `of each pod; ${cores(cpu.busyCores)} busy in all at the rate`),
    line('memory', formatBytes(memory.perPod), `of each pod: ${parts}, and a tenth that is left free`),
    line('partitions', formatCount(partitions.advised), `of each topic; ${formatCount(partitions.atLeast)} at least, more divide better`),
    line(
      'network',
      `${mbit(network.eventsBitsPerSecond)} in`,
      `before compression; ${mbit(network.rowsBitsPerSecond)} of rows to ClickHouse`,
    ),
    line('rows', `${formatCount(clickhouse.rowsPerSecond)}/s`, `at most; ${formatCount(clickhouse.rowsPerDay)} a day`),
    line('disk', formatBytes(clickhouse.disk), disk),
    line('cost', usd(cost.sum), `a month: ${costs}; brokers and ClickHouse apart`),
    '',
    'Reckoned from figures of one machine (docs/figures.md): measure yours with ctr load before you rely on it.',
  ]
}

function mbit(bits: number): string {
  return bits < 1e9 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${(bits / 1e9).toFixed(1)} Gbit/s`
}
