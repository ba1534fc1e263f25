/**
 * In which order partitions are asked for. A broker fills its answer partition by partition in the order of the request, and those behind
 * the ones that fill it get nothing, nor does one whose next batch is larger than what is left. So each request begins with another one.
 */
import type { FetchRequest } from './fetch-ahead.ts'

/** `fetch` with the partitions of each request in another order. */
export function fetchInTurns<D>(fetch: (request: FetchRequest) => Promise<D>): (request: FetchRequest) => Promise<D> {
  let turn = 0
  return (request) => {
    const { topics } = request
    const round = Math.floor(turn / topics.length)
    const ordered = rotated(topics, turn).map(({ topic, partitions }) => ({ topic, partitions: rotated(partitions, round) }))
    turn++
    return fetch({ ...request, topics: ordered })
  }
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const first = list.length === 0 ? 0 : by % list.length
  return [...list.slice(first), ...list.slice(0, first)]
}
