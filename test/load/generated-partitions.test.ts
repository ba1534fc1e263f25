import { expect, test } from 'vitest'
import { GENERATE_DEFAULTS } from '../../src/load/generate.ts'
import { partitionShares, Shards, type ShardsOptions, seal } from '../../src/load/generated-partitions.ts'

const OPTIONS: ShardsOptions = { ...GENERATE_DEFAULTS, topics: 2, partitions: 4, batchBytes: 1 << 24, startTime: 1_659_304_800_000 }

/** The bytes of every shard that has any. */
function bytesOf(options: Partial<ShardsOptions>): string[] {
  const shards = new Shards({ ...OPTIONS, ...options })
  while (shards.generated < shards.total) shards.generate(1000, 0)
  return shards.shards.filter(({ writer }) => writer.count > 0).map((shard) => shard.writer.bytes.toString('latin1', 0, seal(shard)))
}

function counts(options: Partial<ShardsOptions>, chunk: number, generated = Number.POSITIVE_INFINITY): number[] {
  const shards = new Shards({ ...OPTIONS, ...options })
  while (shards.generated < Math.min(generated, shards.total)) expect(shards.generate(chunk, 0)).toBeGreaterThan(0)
  const made = shards.shards.map(({ writer }) => writer.count)
  expect(made.reduce((sum, count) => sum + count, 0)).toBe(shards.generated)
  expect(shards.drawn.events).toBe(shards.generated)
  return made
}

test.each([1, 2, 3, 7, 1000, 12_345])('of %d events every partition has its part, whatever the chunks', (count) => {
  const made = counts({ count }, 4096)
  expect(made.reduce((sum, one) => sum + one, 0)).toBe(count)
  expect(counts({ count }, 1)).toEqual(made)
  const shares = partitionShares(OPTIONS)
  for (const [partition, share] of shares.entries()) {
    expect(Math.abs((made[partition] ?? 0) + (made[4 + partition] ?? 0) - share * count)).toBeLessThanOrEqual(1)
  }
})

test('some partitions alone get what they get among all', () => {
  const all = counts({ count: 5000 }, 100)
  const odd = counts({ count: 5000, only: [1, 3] }, 100)
  const even = counts({ count: 5000, only: [0, 2] }, 333)
  expect(all).toEqual(all.map((_, shard) => (odd[shard] ?? 0) + (even[shard] ?? 0)))
  expect([odd[0], odd[2], even[1], even[3]]).toEqual([0, 0, 0, 0])
})

test('products that come and go do so whoever makes the other partitions', () => {
  const options = { topics: 1 as const, count: 5000, eventRate: 1000, products: 100, productsPerMinute: 6000 }
  const [first, second, third, fourth] = bytesOf(options)
  expect(bytesOf({ ...options, only: [1, 3] })).toEqual([second, fourth])
  expect(bytesOf({ ...options, only: [2, 0] })).toEqual([first, third])
})

test('more partitions than are due at once are served in turns, nearly evenly', () => {
  const shards = new Shards({ ...OPTIONS, partitions: 64, products: 5000, skew: 0 })
  for (let i = 0; i < 640; i++) expect(shards.generate(1, 0)).toBeGreaterThanOrEqual(1)
  const perPartition = Array.from(
    { length: 64 },
    (_, i) => (shards.shards[i]?.writer.count ?? 0) + (shards.shards[64 + i]?.writer.count ?? 0),
  )
  expect(Math.min(...perPartition)).toBeGreaterThan(4)
  expect(Math.max(...perPartition)).toBeLessThan(20)
})

test('shares are those of the products popularity, 1 in all', () => {
  const shares = partitionShares({ products: 1, productsPerMinute: 0, skew: 1, partitions: 3 })
  expect([...shares].sort()).toEqual([0, 0, 1])
  expect(partitionShares(OPTIONS).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12)
})

test('what was drawn for a full shard is not counted', () => {
  const shards = new Shards({ ...OPTIONS, partitions: 1, batchBytes: 4096, count: 1000 })
  shards.generate(1000, 0)
  expect(shards.full).toBeDefined()
  const { events, impressions, clicks } = shards.drawn
  expect([events, impressions + clicks]).toEqual([shards.generated, shards.generated])
  expect(shards.shards.map(({ writer }) => writer.count)).toEqual([impressions, clicks])
})
