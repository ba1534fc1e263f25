import { expect, test } from 'vitest'
import { pacedFetch } from '../../src/kafka/fetch-pace.ts'

const LEAST = 64 * 1024

/** A broker whose topics grow by `bytesPerMs`: it answers when there is enough, or when it was told to. */
function stream(bytesPerMs: { value: number }, maxBytes = 2 << 20) {
  let now = 0
  let there = 0
  const waits: number[] = []
  const request = {
    minBytes: LEAST,
    maxWaitTime: 5000,
    maxBytes: 1 << 24,
    isolationLevel: 1,
    topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset: '0', maxBytes }] }],
  }
  const fetch = pacedFetch(
    async ({ minBytes, maxWaitTime }) => {
      const wait = Math.min(maxWaitTime, Math.max(0.2, (minBytes - there) / bytesPerMs.value))
      now += wait
      waits.push(wait)
      const bytes = Math.min(16_000_000, there + wait * bytesPerMs.value)
      there += wait * bytesPerMs.value - bytes
      return { bytes }
    },
    () => now,
  )
  const run = async (ms: number) => {
    waits.length = 0
    for (const end = now + ms; now < end; ) await fetch(request)
    return { rounds: waits.length, longest: Math.max(...waits) }
  }
  const backlog = (bytes: number) => {
    there = bytes
  }
  return { run, backlog }
}

test('a stream is fetched about a hundred times a second, however fast it is, and nothing waits much longer than 10 ms', async () => {
  for (const bytesPerMs of [10_000, 50_000, 100_000]) {
    const { run } = stream({ value: bytesPerMs })
    await run(2000)
    const { rounds, longest } = await run(1000)
    expect([bytesPerMs, rounds > 80 && rounds < 130, longest < 13]).toEqual([bytesPerMs, true, true])
  }
})

test('a faster one waits for a megabyte at most', async () => {
  const { run } = stream({ value: 1_000_000 })
  await run(2000)
  const { rounds } = await run(1000)
  expect(rounds).toBeGreaterThan(900)
})

test('what is asked for never exceeds what one partition may bring', async () => {
  const { run } = stream({ value: 100_000 }, 128 * 1024)
  await run(2000)
  const { longest } = await run(1000)
  expect(longest).toBeCloseTo((128 * 1024) / 100_000, 1)
})

test('a slow one is asked for as little as the request says', async () => {
  const { run } = stream({ value: 1000 })
  await run(2000)
  const { longest } = await run(1000)
  expect(longest).toBeCloseTo(LEAST / 1000, 0)
})

test('when a fast stream turns slow, or a backlog ends, nothing waits longer than for a slow one', async () => {
  const rate = { value: 100_000 }
  const { run, backlog } = stream(rate)
  await run(2000)
  rate.value = 1000
  expect((await run(3000)).longest).toBeLessThan(LEAST / 1000 + 1)
  backlog(500_000_000)
  expect((await run(3000)).longest).toBeLessThan(LEAST / 1000 + 1)
})

test('a backlog is never waited for', async () => {
  const { run, backlog } = stream({ value: 1000 })
  backlog(1_000_000_000)
  const { longest } = await run(10)
  expect(longest).toBeCloseTo(0.2)
})
