/** Made-up partitions: disorder, late, future and invalid events, mixed spellings, unkeyed products, gaps in offsets. */
import { Random } from '../../src/load/random.ts'
import type { OracleRecord } from '../../workshop/oracle.ts'

export interface RecordsOptions {
  readonly seed: number
  readonly partitions: number
  readonly records: number
  readonly products: number
  /** ms between events of a partition, on average. */
  readonly stepMs?: number
  /** Some are of a producer whose clock is ahead, event and record alike; gaps are times without traffic. */
  readonly clocks?: { readonly share: number; readonly aheadMs: number; readonly gapsMs: number } | undefined
}

const START = 1_700_000_000_000

/** One list per topic and partition. */
export function makeRecords({ seed, partitions, records, products, stepMs = 40, clocks }: RecordsOptions): OracleRecord[][] {
  const random = new Random(seed)
  const lists: OracleRecord[][] = []
  for (const topic of ['impressions', 'clicks']) {
    for (let partition = 0; partition < partitions; partition++) {
      const list: OracleRecord[] = []
      let now = START + random.below(3000)
      let offset = 0
      for (let i = 0; i < records; i++) {
        now += random.below(2 * stepMs)
        if (random.chance(0.001)) now += 30_000
        offset += random.chance(0.01) ? 3 : 1
        if (clocks !== undefined && random.chance(3 / records)) now += random.below(clocks.gapsMs)
        const at = clocks !== undefined && random.chance(clocks.share) ? now + clocks.aheadMs : now
        list.push({ topic, partition, offset: offset - 1, recordTimestamp: at, value: makeValue(random, topic, at, products) })
      }
      lists.push(list)
    }
  }
  return lists
}

function makeValue(random: Random, topic: string, now: number, products: number): Buffer | null {
  const odd = random.below(200)
  const product = `p-${random.below(products)}${random.chance(0.1) ? '-ä' : ''}`
  let time = now - random.below(3000)
  if (random.chance(0.1)) time -= random.below(40_000)
  if (odd === 0) return null
  if (odd === 1) return Buffer.from('{"product_id":"x"')
  if (odd === 2) time = now + 100_000_000
  const user = `u-${random.below(1000)}`
  if (odd === 3) return Buffer.from(JSON.stringify({ product_id: { id: product }, event_type: 'view', timestamp: time }))
  if (odd === 4) return Buffer.from(JSON.stringify({ product_id: product, event_type: 'add_to_cart', timestamp: time }))
  const type = topic === 'clicks' || random.chance(0.05) ? 'click' : random.chance(0.2) ? 'view' : 'impression'
  if (odd < 10)
    return Buffer.from(
      JSON.stringify({ timestamp: String(time), eventType: type.toUpperCase(), productId: product, userId: user, extra: [1, { a: 'ü' }] }),
    )
  if (odd < 14)
    return Buffer.from(JSON.stringify({ user_id: user, product_id: product, event_type: type, timestamp: new Date(time).toISOString() }))
  return Buffer.from(
    JSON.stringify({
      event_id: `e-${random.below(1e9)}`,
      user_id: user,
      product_id: product,
      event_type: type,
      timestamp: time,
      session_id: null,
    }),
  )
}

/** The same record so many ms later; its text holds the time in one of three spellings. */
export function laterBy(record: OracleRecord, ms: number): OracleRecord {
  const text = Buffer.from(record.value ?? []).toString()
  const later = text
    .replace(/\b1[67]\d{11}\b/g, (time) => String(Number(time) + ms))
    .replace(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, (time) => new Date(Date.parse(time) + ms).toISOString())
  return { ...record, recordTimestamp: record.recordTimestamp + ms, value: record.value && Buffer.from(later) }
}
