import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import type { DeadLetter } from '../../src/dlq/dead-letter.ts'
import { letterQueue } from '../../src/dlq/letter-queue.ts'

const silent = pino({ level: 'silent' })

function letter(offset: number, rawData = 'x'): DeadLetter {
  return {
    source: 'ctr/test',
    rawTopic: 'impressions',
    partition: 0,
    offset,
    errorCode: 'INVALID_EVENT',
    errorMessage: 'no',
    rawData,
    rawEncoding: 'utf8',
    rawTruncated: false,
    eventTimeMillisUtc: null,
    createdAtUtc: '2026-01-01T00:00:00.000Z',
  }
}

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

describe('settled', () => {
  test('resolves at once when nothing was put', async () => {
    const office = letterQueue(delivery(), silent)
    await office.settled()
    await office.close()
  })

  test('waits for what was put before it, not for what came after', async () => {
    let release: () => void = () => {}
    const there = delivery(new Promise((resolve) => (release = resolve)), new Promise(() => {}))
    const office = letterQueue(there, silent)
    office.put(letter(1))
    const first = office.settled()
    await Promise.resolve()
    office.put(letter(2))
    release()
    await first
    expect(there.offsets).toEqual([[1]])
  })

  test('survives failures: letters arrive in order, once the way is open', async () => {
    const there = delivery(new Error('down'), new Error('still down'))
    const office = letterQueue(there, silent)
    for (let offset = 0; offset < 5; offset++) office.put(letter(offset))
    await office.settled()
    expect(there.offsets.flat()).toEqual([0, 1, 2, 3, 4])
    await office.close()
    expect(there.closed()).toBe(1)
  })

  test('rejects with CTR_DEAD_LETTER when the office is closed first', async () => {
    const office = letterQueue(delivery(...Array.from({ length: 50 }, () => new Error('down'))), silent)
    office.put(letter(1))
    const settled = office.settled()
    const claim = expect(settled).rejects.toMatchObject({ code: 'CTR_DEAD_LETTER' })
    await office.close()
    await claim
  }, 15_000)
})

test('the queue is full at its bound, and room resolves when it no longer is', async () => {
  let release: () => void = () => {}
  const there = delivery(new Promise((resolve) => (release = resolve)))
  const size = Buffer.byteLength(JSON.stringify(letter(1)))
  const office = letterQueue(there, silent, 2 * size)
  office.put(letter(1))
  expect(office.full).toBe(false)
  office.put(letter(2))
  expect(office.full).toBe(true)
  let room = false
  const waiting = office.room().then(() => {
    room = true
  })
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(room).toBe(false)
  release()
  await waiting
  expect(office.full).toBe(false)
  await office.settled()
  expect(there.offsets.flat()).toEqual([1, 2])
  await office.close()
})

test('batches stay below half a mebibyte unless one letter alone is larger', async () => {
  let release: () => void = () => {}
  const there = delivery(new Promise((resolve) => (release = resolve)))
  const office = letterQueue(there, silent)
  office.put(letter(0))
  await Promise.resolve()
  const large = 'y'.repeat(300_000)
  for (const offset of [1, 2]) office.put(letter(offset, large))
  office.put(letter(3, 'z'.repeat(700_000)))
  office.put(letter(4))
  release()
  await office.settled()
  expect(there.offsets).toEqual([[0], [1], [2], [3], [4]])
  await office.close()
})

test('trouble is told from the second failure in a row on, until a delivery succeeds', async () => {
  let release: () => void = () => {}
  const there = delivery(new Error('first'), new Error('second'), new Promise((resolve) => (release = resolve)))
  const office = letterQueue(there, silent)
  const seen = new Set<string | undefined>()
  office.put(letter(1))
  for (let i = 0; i < 100 && office.trouble === undefined; i++) {
    seen.add(office.trouble)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  expect([...seen]).toEqual([undefined])
  expect(office.trouble).toBe('dead letters not delivered to nowhere: second')
  release()
  await office.settled()
  expect(office.trouble).toBeUndefined()
  await office.close()
})
