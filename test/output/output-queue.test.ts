import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import type { DeadLetter } from '../../src/output/dead-letter.ts'
import type { Lines } from '../../src/output/lines.ts'
import { DEAD_LETTERS } from '../../src/output/output.ts'
import { type Destination, outputQueue } from '../../src/output/output-queue.ts'
import { letterOf, outputRecord } from '../support/output-records.ts'

const silent = pino({ level: 'silent' })

const queue = (delivery: Destination, queueMaxBytes?: number) => outputQueue(delivery, DEAD_LETTERS, silent, queueMaxBytes)

function offsetsIn({ bytes, ends }: Lines): number[] {
  const lines = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end).toString())
  for (const line of lines) expect(line.endsWith('\n')).toBe(true)
  return lines.map((line) => (JSON.parse(line) as DeadLetter).offset)
}

/** A delivery that does what `outcomes` says, call by call, and succeeds afterwards. */
function delivery(...outcomes: (Error | Promise<void>)[]) {
  const offsets: number[][] = []
  let closed = 0
  return {
    offsets,
    closed: () => closed,
    place: 'nowhere',
    parallel: 1,
    async deliver(lines: Lines) {
      const outcome = outcomes.shift()
      if (outcome instanceof Error) throw outcome
      await outcome
      offsets.push(offsetsIn(lines))
    },
    async close() {
      closed++
    },
  }
}

describe('delivered', () => {
  test('resolves at once when nothing was put', async () => {
    const output = queue(delivery())
    await output.delivered()
    await output.close()
  })

  test('waits for what was put before it, not for what came after', async () => {
    let release: () => void = () => {}
    const there = delivery(new Promise((resolve) => (release = resolve)), new Promise(() => {}))
    const output = queue(there)
    output.put(outputRecord(1))
    const first = output.delivered()
    await Promise.resolve()
    output.put(outputRecord(2))
    release()
    await first
    expect(there.offsets).toEqual([[1]])
  })

  test('survives failures: records arrive in order, once the way is open', async () => {
    const there = delivery(new Error('down'), new Error('still down'))
    const output = queue(there)
    for (let offset = 0; offset < 5; offset++) output.put(outputRecord(offset))
    await output.delivered()
    expect(there.offsets.flat()).toEqual([0, 1, 2, 3, 4])
    await output.close()
    expect(there.closed()).toBe(1)
  })

  test('rejects with CTR_DEAD_LETTER when the output is closed first', async () => {
    const output = queue(delivery(...Array.from({ length: 50 }, () => new Error('down'))))
    output.put(outputRecord(1))
    const delivered = output.delivered()
    const claim = expect(delivered).rejects.toMatchObject({ code: 'CTR_DEAD_LETTER' })
    await output.close()
    await claim
  }, 15_000)
})

test('the queue is full at its bound, and room resolves when it no longer is', async () => {
  let release: () => void = () => {}
  const there = delivery(new Promise((resolve) => (release = resolve)))
  const size = Buffer.byteLength(`${JSON.stringify(letterOf(1))}\n`)
  const output = queue(there, 2 * size)
  output.put(outputRecord(1))
  expect(output.full).toBe(false)
  output.put(outputRecord(2))
  expect(output.full).toBe(true)
  let room = false
  const waiting = output.room().then(() => {
    room = true
  })
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(room).toBe(false)
  release()
  await waiting
  expect(output.full).toBe(false)
  await output.delivered()
  expect(there.offsets.flat()).toEqual([1, 2])
  await output.close()
})

test('batches stay below half a mebibyte unless one record alone is larger', async () => {
  let release: () => void = () => {}
  const there = delivery(new Promise((resolve) => (release = resolve)))
  const output = queue(there)
  output.put(outputRecord(0))
  await Promise.resolve()
  const large = 'y'.repeat(300_000)
  for (const offset of [1, 2]) output.put(outputRecord(offset, large))
  output.put(outputRecord(3, 'z'.repeat(700_000)))
  output.put(outputRecord(4))
  release()
  await output.delivered()
  expect(there.offsets).toEqual([[0], [1], [2], [3], [4]])
  await output.close()
})

test('trouble is told from the second failure in a row on, until a delivery succeeds', async () => {
  let release: () => void = () => {}
  const there = delivery(new Error('first'), new Error('second'), new Promise((resolve) => (release = resolve)))
  const output = queue(there)
  const seen = new Set<string | undefined>()
  output.put(outputRecord(1))
  for (let i = 0; i < 100 && output.trouble === undefined; i++) {
    seen.add(output.trouble)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  expect([...seen]).toEqual([undefined])
  expect(output.trouble).toBe('dead letters not delivered to nowhere: second')
  release()
  await output.delivered()
  expect(output.trouble).toBeUndefined()
  await output.close()
})

/** A destination of which the test settles each call by hand. */
function byHand(parallel: number) {
  const calls: { readonly offsets: number[]; readonly gate: PromiseWithResolvers<void> }[] = []
  return {
    calls,
    place: 'nowhere',
    parallel,
    async deliver(lines: Lines) {
      const gate = Promise.withResolvers<void>()
      calls.push({ offsets: offsetsIn(lines), gate })
      await gate.promise
    },
    async close() {},
  }
}

const LARGE = 'y'.repeat(530_000)
const turn = () => new Promise((resolve) => setImmediate(resolve))

test.each([1, 2, 4])('%i batches are under way at once, and no more', async (parallel) => {
  const there = byHand(parallel)
  const output = queue(there, 1 << 30)
  for (let offset = 0; offset < 6; offset++) output.put(outputRecord(offset, LARGE))
  await turn()
  expect(there.calls.map(({ offsets }) => offsets)).toEqual(Array.from({ length: parallel }, (_, offset) => [offset]))
  for (let i = 0; i < 6; i++) {
    there.calls[i]?.gate.resolve()
    await turn()
  }
  await output.delivered()
  expect(there.calls.map(({ offsets }) => offsets)).toEqual([[0], [1], [2], [3], [4], [5]])
  await output.close()
})

test('what arrives out of turn is acknowledged when all before it has arrived', async () => {
  const there = byHand(3)
  const output = queue(there, 1 << 30)
  for (let offset = 0; offset < 3; offset++) output.put(outputRecord(offset, LARGE))
  let done = false
  const all = output.delivered().then(() => {
    done = true
  })
  await turn()
  for (const i of [2, 1]) {
    there.calls[i]?.gate.resolve()
    await turn()
    expect(done).toBe(false)
  }
  there.calls[0]?.gate.resolve()
  await all
  await output.close()
})

test('batches that fail together are one failure; then one is tried at a time, and the order of sending stays', async () => {
  const there = byHand(3)
  const output = queue(there, 1 << 30)
  for (let offset = 0; offset < 4; offset++) output.put(outputRecord(offset, LARGE))
  await turn()
  for (const { gate } of there.calls.slice(0, 3)) gate.reject(new Error('down'))
  await turn()
  expect(output.trouble).toBeUndefined()
  while (there.calls.length < 4) await new Promise((resolve) => setTimeout(resolve, 5))
  await turn()
  expect(there.calls.slice(3).map(({ offsets }) => offsets)).toEqual([[0]])
  there.calls[3]?.gate.resolve()
  await turn()
  expect(there.calls.slice(4).map(({ offsets }) => offsets)).toEqual([[1], [2], [3]])
  for (const { gate } of there.calls.slice(4)) gate.resolve()
  await output.delivered()
  await output.close()
})
