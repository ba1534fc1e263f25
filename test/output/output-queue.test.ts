import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import type { DeadLetter } from '../../src/output/dead-letter.ts'
import { DEAD_LETTERS } from '../../src/output/output.ts'
import { type Destination, outputQueue } from '../../src/output/output-queue.ts'
import { letterOf, outputRecord } from '../support/output-records.ts'

const silent = pino({ level: 'silent' })

const queue = (delivery: Destination, queueMaxBytes?: number) => outputQueue(delivery, DEAD_LETTERS, silent, queueMaxBytes)

/** A delivery that does what `outcomes` says, call by call, and succeeds afterwards. */
function delivery(...outcomes: (Error | Promise<void>)[]) {
  const offsets: number[][] = []
  let closed = 0
  return {
    offsets,
    closed: () => closed,
    place: 'nowhere',
    async deliver(lines: readonly Buffer[]) {
      const outcome = outcomes.shift()
      if (outcome instanceof Error) throw outcome
      await outcome
      offsets.push(lines.map((line) => (JSON.parse(line.toString()) as DeadLetter).offset))
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
  const size = Buffer.byteLength(JSON.stringify(letterOf(1)))
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
