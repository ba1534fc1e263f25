/** What a load takes: the figures are those of the documents, and the reckoning is not below what was measured. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { planVerb } from '../../src/cli/plan.ts'
import { configSchema } from '../../src/config/schema.ts'
import { CODEC_RATES, CPU_MICROSECONDS, LIVE, PRICES, ROW_BYTES_ON_DISK, SIZES } from '../../src/plan/figures.ts'
import { capacityOf, type Load, USUAL_PRICES } from '../../src/plan/plan.ts'

const document = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8').replaceAll('\n', ' ')
const config = configSchema.parse({})
const MIB = 1024 * 1024

const LOAD: Load = {
  rate: 100_000,
  products: 10_000,
  windowMs: 10_000,
  eventBytes: 154,
  codec: 'none',
  idBytes: 16,
  keyed: true,
  keptDays: 10,
  headroom: 2,
  pods: 1,
  prices: USUAL_PRICES,
}
const plan = (more: Partial<Load> = {}) => capacityOf({ ...LOAD, ...more }, config)

describe('the figures are those of the documents', () => {
  const figures = document('docs/figures.md')
  const architecture = document('ARCHITECTURE.md')

  test('live', () => {
    expect(figures).toContain(`1 M events/s live for 5 minutes, ${LIVE.products.toLocaleString('en')} products`)
    expect(figures).toContain(`${LIVE.cores.toFixed(2)} of a core`)
  })

  test('sizes of events', () => {
    const [small, middle, large] = SIZES.map(([, rate]) => rate.toLocaleString('en'))
    expect(figures).toContain(`events of 300 and 1,000 bytes, against ${SIZES[0]?.[0]} | ${middle} and ${large} MB/s against ${small} |`)
  })

  test('codecs', () => {
    const { zstd, gzip, lz4, snappy } = CODEC_RATES
    const rates = [zstd, gzip, lz4, snappy].map((rate) => rate.toFixed(2)).join(', ')
    expect(figures).toContain(`topics compressed with zstd, gzip, lz4, snappy, against none | ${rates} of the rate`)
  })

  test('CPU per event of each thread', () => {
    const row = (name: string) =>
      [...(new RegExp(`\\| ${name} \\| ([\\d.]+) µs \\| ([\\d.]+) µs`).exec(architecture) ?? [])].slice(1).map(Number)
    const threads = ['main', 'a worker', 'sink', "V8's own"].map(row)
    expect(threads[0]).toEqual([CPU_MICROSECONDS.mainFew, CPU_MICROSECONDS.mainMany])
    const sum = (i: number) => threads.reduce((all, thread) => all + (thread[i] ?? Number.NaN), 0)
    expect(sum(0)).toBeCloseTo(CPU_MICROSECONDS.allFew, 3)
    expect(sum(1)).toBeCloseTo(CPU_MICROSECONDS.allMany, 3)
  })

  test('bytes of rows, and prices', () => {
    const results = document('docs/results.md')
    for (const [name, bytes] of [
      ['`ctr_results`, windows of a minute', ROW_BYTES_ON_DISK.results],
      ['the roll-up of minutes', ROW_BYTES_ON_DISK.minutes],
      ['the roll-up of hours', ROW_BYTES_ON_DISK.hours],
    ] as const)
      expect(results).toContain(`| ${name} | ${bytes.toFixed(1)} |`)
    expect(architecture).toContain(`At ${PRICES.core} USD for a core and ${PRICES.gib} USD for a GiB a month`)
  })
})

describe('a plan', () => {
  test('is not below what was measured, and not far above it', () => {
    const live = plan({ rate: LIVE.eventsPerSecond, products: LIVE.products })
    expect(live.cpu.busyCores).toBeGreaterThanOrEqual(LIVE.cores)
    expect(live.cpu.busyCores).toBeLessThan(1.3 * LIVE.cores)
    // docs/figures.md: 328 MiB at most, and 747 with a million products of which a seventh changes each minute.
    expect(live.memory.perPod).toBeGreaterThan(328 * MIB)
    expect(live.memory.perPod).toBeLessThan(2 * 328 * MIB)
    const soak = plan({ rate: 500_000, products: 1_000_000 }).memory.perPod
    expect(soak).toBeGreaterThan(747 * MIB)
    expect(soak).toBeLessThan(2 * 747 * MIB)
  })

  test('takes no less of anything for more load', () => {
    const amounts = (load: Partial<Load>) => {
      const { cpu, pods, partitions, memory, network, clickhouse } = plan(load)
      const flat = [cpu.busyCores, pods.needed, partitions.atLeast, memory.perPod * pods.planned, network.eventsBitsPerSecond]
      return [...flat, clickhouse.rowsPerSecond, clickhouse.disk]
    }
    const ladders: readonly (readonly Partial<Load>[])[] = [
      [1, 1_000, 99_999, 1_000_000, 10_000_000, 100_000_000].map((rate) => ({ rate })),
      [1, 1_000, 100_000, 1_000_000, 50_000_000].map((products) => ({ products })),
      [10, 154, 300, 999, 1_000, 5_000].map((eventBytes) => ({ eventBytes })),
      [1, 2, 5].map((headroom) => ({ headroom })),
      [1, 10, 400].map((keptDays) => ({ keptDays })),
      [60_000, 10_000, 1_000].map((windowMs) => ({ windowMs })),
      [{ keyed: true }, { keyed: false }],
      [{ codec: 'none' }, { codec: 'zstd' }, { codec: 'gzip' }, { codec: 'lz4' }, { codec: 'snappy' }],
    ]
    for (const ladder of ladders) {
      const steps = ladder.map(amounts)
      steps.slice(1).forEach((step, i) => {
        for (const [j, amount] of step.entries())
          expect(amount, JSON.stringify([ladder[i + 1], j])).toBeGreaterThanOrEqual(steps[i]?.[j] ?? 0)
      })
    }
  })

  test('has rows for each product and window, and no more than there are events', () => {
    expect(plan().clickhouse.rowsPerSecond).toBe(1_000)
    expect(plan({ rate: 100 }).clickhouse.rowsPerSecond).toBe(100)
    expect(plan({ keyed: false, pods: 2 }).clickhouse.rowsPerSecond).toBe(1_000 * 8)
  })

  test('of sliding windows has rows for each slide, no roll-ups, and the slices of a whole window in memory', () => {
    const tumbling = plan({ windowMs: 60_000 })
    const equal = plan({ windowMs: 60_000, slideMs: 60_000 })
    expect(equal).toEqual(tumbling)
    const sliding = plan({ windowMs: 300_000, slideMs: 60_000 })
    expect(sliding.clickhouse.rowsPerSecond).toBe(tumbling.clickhouse.rowsPerSecond)
    const { results, minutes, hours } = ROW_BYTES_ON_DISK
    expect(sliding.clickhouse.diskPerDay).toBeCloseTo(10_000 * 1_440 * results * 2, 0)
    expect(tumbling.clickhouse.diskPerDay).toBeCloseTo(10_000 * (1_440 * (results + minutes) + 24 * hours) * 2, 0)
    // Five slices of a minute are open for the window itself, and those that may still change.
    expect(sliding.memory.windows).toBeGreaterThan(10_000 * 5 * 24)
    // A slide that does not divide the size makes slices of a second, of which a window has 61.
    const uneven = plan({ windowMs: 61_000, slideMs: 60_000 }).memory.windows
    expect(uneven).toBeGreaterThan(10_000 * 61 * 24)
    expect(uneven).toBeGreaterThan(5 * sliding.memory.windows)
  })

  test('has as many pods as main threads need, or as are asked for', () => {
    expect(plan({ pods: 3 }).pods).toEqual({ needed: 1, planned: 3 })
    const { pods, partitions } = plan({ rate: 20_000_000 })
    expect(pods.needed).toBeGreaterThan(3)
    expect(partitions).toEqual({ atLeast: pods.planned, advised: pods.planned * 4 })
  })

  test('has the configuration in its memory', () => {
    const small = capacityOf(LOAD, configSchema.parse({ engine: { ringBytes: '64KiB', workers: 1 }, checkpoint: { storage: 'none' } }))
    expect(small.memory.fixed).toBeLessThan(plan().memory.fixed)
  })
})

describe('ctr plan', () => {
  const options = {
    set: [],
    rate: 1_000_000,
    products: 1_000_000,
    eventBytes: 154,
    codec: 'none',
    idBytes: 16,
    keepDays: 90,
    headroom: 2,
    pods: 1,
  } as const
  const said = (more: object = {}) => {
    let text = ''
    const take = (part: string) => {
      text += part
    }
    expect(planVerb({ ...options, ...more }, take)).toBe(0)
    return text
  }

  test('says everything at a line each', () => {
    const text = said({ window: 60_000 })
    expect(text).toMatch(/^1,000,000 events\/s of 1,000,000 products in windows of 1 min 0 s\n/)
    for (const name of ['pods', 'cores', 'memory', 'partitions', 'network', 'rows', 'disk', 'cost'])
      expect(text).toMatch(new RegExp(`^${name} `, 'm'))
  })

  test('takes the window of the configuration, and gives JSON', () => {
    const facts = JSON.parse(said({ json: true, set: ['window.size=30s'], corePrice: 0, gibPrice: 0, diskPrice: 0 })) as {
      load: Load
      cost: { sum: number }
    }
    expect(facts.load.windowMs).toBe(30_000)
    expect(facts.cost.sum).toBe(0)
  })

  test('takes sliding windows and those of the calendar, and refuses what the engine would refuse', () => {
    const sliding = ['window.type=sliding', 'window.slide=1m']
    expect(said({ window: 300_000, set: sliding })).toMatch(/in windows of 5 min 0 s, one every 1 min 0 s\n/)
    expect(said({ set: ['window.type=calendar', 'window.unit=month'] })).toMatch(/in windows of 31 days\n/)
    expect(() => said({ window: 10_000, set: sliding })).toThrow('window.slide must not be longer than window.size (10s)')
    expect(() => said({ window: 10_000, set: ['window.type=calendar', 'window.unit=day'] })).toThrow(/^--window 10s: window\.unit says/)
  })
})
