/**
 * What of the letters has been put back, by the place of the record in its topic. It is told by records of a topic of its own, each written
 * in the transaction that put the records back: so it is true of exactly those that are there, whatever was chosen and whoever died.
 *
 *   {"at": "…", "by": "…", "records": [{"topic": "clicks", "partition": 3, "offsets": [17, 18, 40]}]}
 */
import type { DeadLetter } from '../output/dead-letter.ts'

interface Entry {
  readonly topic: string
  readonly partition: number
  readonly offsets: readonly number[]
}

export class PutBack {
  readonly #offsets = new Map<string, Set<number>>()

  /** Takes a record of the topic; false when it is something else. */
  add(value: Buffer | null): boolean {
    let entries: readonly Entry[]
    try {
      entries = (JSON.parse(String(value)) as { records: readonly Entry[] }).records
      for (const { topic, partition, offsets } of entries) for (const offset of offsets) this.#of(topic, partition).add(offset)
    } catch {
      return false
    }
    return true
  }

  has({ rawTopic, partition, offset }: DeadLetter): boolean {
    return this.#offsets.get(`${rawTopic}/${partition}`)?.has(offset) ?? false
  }

  #of(topic: string, partition: number): Set<number> {
    const key = `${topic}/${partition}`
    const known = this.#offsets.get(key) ?? new Set<number>()
    this.#offsets.set(key, known)
    return known
  }
}

/** The record that tells of these letters. */
export function progressRecord(letters: readonly DeadLetter[], by: string, now: number): Buffer {
  const byPlace = Map.groupBy(letters, ({ rawTopic, partition }) => `${rawTopic}/${partition}`)
  const records = [...byPlace.values()].flatMap((own): Entry[] => {
    const [first] = own
    return first === undefined ? [] : [{ topic: first.rawTopic, partition: first.partition, offsets: own.map(({ offset }) => offset) }]
  })
  return Buffer.from(JSON.stringify({ at: new Date(now).toISOString(), by, records }))
}
