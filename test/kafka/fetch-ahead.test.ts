import { expect, test } from 'vitest'
import { type FetchRequest, fetchAhead } from '../../src/kafka/fetch-ahead.ts'
import { decodeFetch } from '../../src/kafka/fetch-response.ts'
import { FramePool } from '../../src/kafka/frame-pool.ts'
import { batchBytes, fetchBody } from '../support/batch-bytes.ts'

const quiet = { maxBatchBytes: 2 ** 26, endOffset() {}, outOfRange() {}, otherTopic() {} }

function request(...partitions: [partition: number, fetchOffset: number][]): FetchRequest {
  return {
    minBytes: 1,
    maxWaitTime: 1,
    maxBytes: 1 << 20,
    isolationLevel: 1,
    topics: [{ topic: 't', partitions: partitions.map(([partition, at]) => ({ partition, fetchOffset: String(at), maxBytes: 1 })) }],
  }
}

/** A broker that answers every partition with ten records from the offset asked for. */
function broker() {
  const asked: string[] = []
  const pool = new FramePool()
  const frames: NonNullable<ReturnType<FramePool['take']>>[] = []
  const fetch = fetchAhead(async ({ topics }) => {
    const partitions = topics[0]!.partitions
    asked.push(partitions.map(({ partition, fetchOffset }) => `${partition}@${fetchOffset}`).join(' '))
    const frame = pool.take(100_000)!
    frames.push(frame)
    const body = fetchBody(11, [
      {
        topic: 't',
        partitions: partitions.map(({ partition, fetchOffset }) => ({
          partition,
          records: batchBytes({ baseOffset: Number(fetchOffset), count: 10 }),
        })),
      },
    ])
    return decodeFetch(11, body, frame, quiet)
  })
  const ask = async (...partitions: [number, number][]) => {
    const { responses } = await fetch(request(...partitions))
    return responses.flatMap((one) => one.partitions.map(({ partition, messages }) => `${partition}:${messages[0]?.offset}`))
  }
  return { asked, ask, frames, pool }
}

test('the request that follows is under way before it is made, and made only once', async () => {
  const { ask, asked } = broker()
  expect(await ask([0, 0], [1, 100])).toEqual(['0:9', '1:109'])
  expect(asked).toEqual(['0@0 1@100', '0@10 1@110'])
  expect(await ask([0, 10], [1, 110])).toEqual(['0:19', '1:119'])
  expect(asked).toEqual(['0@0 1@100', '0@10 1@110', '0@20 1@120'])
})

test('a partition that was paused or seeked meanwhile gets nothing of the early response', async () => {
  const { ask, asked } = broker()
  await ask([0, 0], [1, 0], [2, 0])
  expect(await ask([0, 10], [1, 5])).toEqual(['0:19'])
  expect(asked.at(-1)).toBe('0@20 1@5')
  expect(await ask([0, 20], [1, 5])).toEqual(['0:29', '1:14'])
})

test('when nothing of the early response is wanted, a request is made and its frame given back', async () => {
  const { ask, asked, frames } = broker()
  await ask([0, 0])
  expect(await ask([0, 500])).toEqual(['0:509'])
  expect(asked).toEqual(['0@0', '0@10', '0@500', '0@510'])
  expect(frames[1]!.generation).toBeGreaterThan(0)
})

test('a frame is given back with the next call, and two serve for ever', async () => {
  const { ask, frames } = broker()
  for (let at = 0; at < 20; at++) await ask([0, at * 10])
  expect(new Set(frames).size).toBeLessThanOrEqual(3)
})

test('an early request that failed fails the call it was for, and the one after is made afresh', async () => {
  let calls = 0
  const fetch = fetchAhead(async () => {
    if (++calls === 2) throw new Error('connection lost')
    return decodeFetch(11, fetchBody(11, [{ topic: 't', partitions: [{ partition: 0 }] }]), undefined, quiet)
  })
  await fetch(request([0, 0]))
  await expect(fetch(request([0, 0]))).rejects.toThrow('connection lost')
  await expect(fetch(request([0, 0]))).resolves.toBeDefined()
})
