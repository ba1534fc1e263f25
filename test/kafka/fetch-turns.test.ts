import { expect, test } from 'vitest'
import type { FetchRequest } from '../../src/kafka/fetch-ahead.ts'
import { fetchInTurns } from '../../src/kafka/fetch-turns.ts'

const MIB = 1024 * 1024

function request(topics: number, partitions: number, maxBytes = 2 * MIB): FetchRequest {
  const list = (topic: number) => Array.from({ length: partitions }, (_, partition) => ({ partition, fetchOffset: `${topic}`, maxBytes }))
  return {
    minBytes: 1,
    maxWaitTime: 1,
    maxBytes: 16 * MIB,
    isolationLevel: 1,
    topics: Array.from({ length: topics }, (_, topic) => ({ topic: `t${topic}`, partitions: list(topic) })),
  }
}

/** What a request becomes, each time it is made. */
function sent(from: FetchRequest, times: number): FetchRequest[] {
  const requests: FetchRequest[] = []
  const fetch = fetchInTurns(async (one) => void requests.push(one))
  for (let i = 0; i < times; i++) void fetch(from)
  return requests
}

const placesOf = ({ topics }: FetchRequest) =>
  topics.flatMap(({ topic, partitions }) => partitions.map((one) => `${topic}/${one.partition}`))

test.each([
  [1, 1],
  [1, 5],
  [2, 4],
  [3, 3],
])('each of %i topics with %i partitions is asked for, and comes first equally often', (topics, partitions) => {
  const from = request(topics, partitions)
  const requests = sent(from, topics * partitions * 2)
  for (const one of requests) expect(placesOf(one).sort()).toEqual(placesOf(from).sort())
  const firsts = new Map<string, number>()
  for (const one of requests) firsts.set(placesOf(one)[0]!, (firsts.get(placesOf(one)[0]!) ?? 0) + 1)
  expect([...firsts.values()]).toEqual(Array(topics * partitions).fill(2))
})
