/**
 * Keeps one Fetch request under way while the last response is worked on, so that neither the broker nor the socket stands still. The
 * request after a response is foretold: the same partitions, each behind what has just come. When kafkajs asks, it gets of the response
 * that was fetched ahead those partitions whose offset is the one it asks for; the others (paused, seeked, gone) are dropped, and a
 * partition missing from it is in the next.
 *
 * Calls for one broker don't overlap, and by the next call every batch of the last response has been handled: that is when its frame
 * is given back. So there are at most two frames per broker, but for what a handler keeps longer.
 */
import type { DecodedFetch } from './fetch-response.ts'

/** What kafkajs asks of a broker, as far as it matters here. Offsets are decimal text, as kafkajs keeps them. */
export interface FetchRequest {
  /** A broker answers when there is this much, or after `maxWaitTime`, ms. */
  readonly minBytes: number
  readonly maxWaitTime: number
  /** Of the whole answer. */
  readonly maxBytes: number
  /** 1: of transactions only those that are committed. */
  readonly isolationLevel: number
  readonly topics: readonly {
    readonly topic: string
    readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string; readonly maxBytes: number }[]
  }[]
}

type Fetch = (request: FetchRequest) => Promise<DecodedFetch>

interface Ahead {
  /** Offsets asked for, by topic and partition. */
  readonly offsets: ReadonlyMap<string, string>
  readonly response: Promise<DecodedFetch>
}

/** `fetch` with one request ahead of it. */
export function fetchAhead(fetch: Fetch): Fetch {
  let ahead: Ahead | undefined
  let lent: DecodedFetch | undefined

  return async (request) => {
    lent?.frame?.release()
    lent = undefined
    const early = ahead
    ahead = undefined
    let response = early === undefined ? undefined : wanted(await early.response, early.offsets, request)
    response ??= await fetch(request)
    lent = response
    const next = following(request, response)
    const coming = fetch(next)
    coming.catch(() => {})
    ahead = { offsets: offsetsOf(next), response: coming }
    return response
  }
}

/** What of an early response answers the request; undefined, and the frame given back, when nothing of it was asked for. */
function wanted(early: DecodedFetch, offsets: ReadonlyMap<string, string>, request: FetchRequest): DecodedFetch | undefined {
  const asked = offsetsOf(request)
  let found = false
  const responses = early.responses.map(({ topicName, partitions }) => {
    const kept = partitions.filter(({ partition }) => {
      const key = `${topicName}/${partition}`
      return asked.has(key) && asked.get(key) === offsets.get(key)
    })
    found ||= kept.length > 0
    return { topicName, partitions: kept }
  })
  if (found) return { ...early, responses: responses.filter(({ partitions }) => partitions.length > 0) }
  early.frame?.release()
  return undefined
}

/** The request that kafkajs will make once it has handled the response. A corrupt batch moves nothing. */
function following(request: FetchRequest, response: DecodedFetch): FetchRequest {
  const reached = new Map<string, string>()
  for (const { topicName, partitions } of response.responses) {
    for (const { partition, messages } of partitions) {
      const walk = messages[0]?.value.walk
      if (walk !== undefined && walk.corrupt === undefined) reached.set(`${topicName}/${partition}`, String(walk.nextOffset))
    }
  }
  const topics = request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((one) => ({ ...one, fetchOffset: reached.get(`${topic}/${one.partition}`) ?? one.fetchOffset })),
  }))
  return { ...request, topics }
}

function offsetsOf(request: FetchRequest): Map<string, string> {
  const offsets = new Map<string, string>()
  for (const { topic, partitions } of request.topics) {
    for (const { partition, fetchOffset } of partitions) offsets.set(`${topic}/${partition}`, fetchOffset)
  }
  return offsets
}
