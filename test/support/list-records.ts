/** Made-up partitions of records that are several events: impressions of lists, some of them clicked, with bad elements among them. */
import type { TopicFormat } from '../../src/format/format.ts'
import { Random } from '../../src/load/random.ts'
import { PLAIN_EVENTS, type PlainEventRules } from '../../src/selftest/plain-event.ts'
import type { OracleRecord } from '../../workshop/oracle.ts'
import { eventsWith } from '../../workshop/plain-rules.ts'

export interface ListsOptions {
  readonly seed: number
  readonly partitions: number
  readonly records: number
  readonly products: number
  /** Most records have few elements, some as many as this. */
  readonly elementsMax: number
  /** Elements have times of their own. */
  readonly ownTimes: boolean
  /** ms between records of a partition, at most. */
  readonly stepMs: number
}

const START = 1_700_000_000_000

/** How such records are read, by the engine and by the oracle. */
export function listMapping({ elementsMax, ownTimes }: Pick<ListsOptions, 'elementsMax' | 'ownTimes'>) {
  const events = eventsWith({
    fields: { product: 'items[].id', type: ['items[].type', 'type'], time: ownTimes ? ['items[].at', 'at'] : 'at' },
    click: { field: 'items[].clicked' },
    maxPerRecord: elementsMax,
  })
  const format: TopicFormat = { format: 'json', events }
  const plain: PlainEventRules = {
    ...PLAIN_EVENTS,
    product: [['items', '[]', 'id']],
    type: [['items', '[]', 'type'], ['type']],
    time: ownTimes ? [['items', '[]', 'at'], ['at']] : [['at']],
    click: [['items', '[]', 'clicked']],
    maxPerRecord: elementsMax,
  }
  return { formats: [format, format], plain }
}

/** One list per topic and partition. */
export function makeLists({ seed, partitions, records, products, elementsMax, ownTimes, stepMs }: ListsOptions): OracleRecord[][] {
  const random = new Random(seed)
  const lists: OracleRecord[][] = []
  for (const topic of ['impressions', 'clicks']) {
    for (let partition = 0; partition < partitions; partition++) {
      const list: OracleRecord[] = []
      let now = START + random.below(3000)
      for (let offset = 0; offset < records; offset++) {
        now += random.below(stepMs)
        const at = now - random.below(3000) - (random.chance(0.1) ? random.below(40_000) : 0)
        const count = random.chance(0.05) ? elementsMax : random.chance(0.01) ? elementsMax + 1 : random.below(Math.min(8, elementsMax + 1))
        const timeOf = () => (ownTimes && random.chance(0.5) ? at - random.below(random.chance(0.05) ? 60_000 : 9000) : undefined)
        const items = Array.from({ length: count }, () => elementOf(random, products, timeOf()))
        const odd = random.below(100)
        const type = odd === 0 ? 'cart' : odd === 1 ? null : 'view'
        const time = odd === 2 ? now + 100_000_000 : odd === 3 ? 'never' : at
        const value = odd === 4 ? { type, at } : { type, at: time, items }
        list.push({ topic, partition, offset, recordTimestamp: now, value: Buffer.from(JSON.stringify(value)) })
      }
      lists.push(list)
    }
  }
  return lists
}

function elementOf(random: Random, products: number, at: number | undefined): unknown {
  const odd = random.below(60)
  if (odd === 0) return [null, 7, {}, 'x'][random.below(4)]
  const id = odd === 1 ? '' : odd < 10 ? random.below(products) : `p-${random.below(products)}${odd === 10 ? '-ä' : ''}`
  return {
    id,
    pos: odd,
    ...(odd === 11 && { type: 'click' }),
    ...(odd === 12 && { type: 'cart' }),
    ...(odd > 50 && { clicked: [true, 1, 0, false, null, 'x'][odd % 6] }),
    ...(at !== undefined && { at: odd === 13 ? at + 200_000_000 : at }),
  }
}
