/** Records whose schemas come later, or never. */
import avsc from 'avsc'
import { expect, onTestFinished, test, vi } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import type { SchemaTrouble, WriterSchema } from '../../src/format/schemas.ts'
import { type ComingSchemas, RecordJudge } from '../../src/probe/judge.ts'
import type { SampledRecord } from '../../src/probe/sampled-record.ts'

const SCHEMA = {
  type: 'record',
  name: 'Event',
  fields: [
    { name: 'product_id', type: 'string' },
    { name: 'event_type', type: 'string' },
    { name: 'timestamp', type: { type: 'long', logicalType: 'timestamp-millis' } },
  ],
} as const
const AVRO: WriterSchema = { type: 'avro', text: JSON.stringify(SCHEMA), references: [] }
const TIME = Date.UTC(2026, 0, 2)

const value = avsc.Type.forSchema(SCHEMA as unknown as avsc.Schema).toBuffer({ product_id: 'p-1', event_type: 'click', timestamp: TIME })
const plain = { topic: 'clicks', partition: 0, timestamp: TIME, key: null, headers: [] }
const framed: SampledRecord = { ...plain, offset: 0, value: Buffer.concat([Buffer.from([0, 0, 0, 0, 17]), value]) }
// One header, of 17 bytes of name and five of value: 0 and the id.
const headerBytes = Buffer.concat([Buffer.from([2, 34]), Buffer.from('__value_schema_id'), Buffer.from([10, 0, 0, 0, 0, 17])])
const named: SampledRecord = { ...plain, offset: 1, value, headerBytes }
const config = configSchema.parse({ kafka: { topics: [{ name: 'clicks', format: 'avro' }] } })

const UNKNOWN: SchemaTrouble = { code: 'CTR_SCHEMA_UNKNOWN', message: 'the registry does not know id 17' }

/** They have the schema from the second time on that it is waited for; never without `comes`, and then `trouble` is why. */
function schemas(comes: boolean, trouble: SchemaTrouble | undefined = comes ? undefined : UNKNOWN): ComingSchemas {
  let looked = 0
  return {
    find: () => (comes && looked > 1 ? AVRO : undefined),
    unfit: () => {},
    arrival: async () => void looked++,
    troubleOf: () => trouble,
  }
}

test.each([
  ['a frame', framed],
  ['a header', named],
])('a record that names its schema by %s is judged by it once that is here', async (_, record) => {
  const judge = new RecordJudge(config, schemas(true))
  await judge.ready(record)
  expect(judge.judge(record)).toMatchObject({ kind: 'counted', events: [{ product: 'p-1', click: true, time: TIME }] })
})

test('of one that does not come it is said why', () => {
  const verdict = new RecordJudge(config, schemas(false)).judge(framed)
  expect(verdict).toMatchObject({ kind: 'invalid', reason: 'SCHEMA_UNKNOWN', text: expect.stringContaining('does not know id 17') })
})

test.each([
  ['that has not answered', undefined],
  ['that is away', { code: 'CTR_REGISTRY_UNREACHABLE', message: 'it does not answer' } as const],
])('of a registry %s a schema is waited for once, and taken when it comes after all', async (_, trouble) => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  let here = false
  const never = new Promise<void>(() => {})
  const coming: ComingSchemas = { find: () => (here ? AVRO : undefined), unfit: () => {}, arrival: () => never, troubleOf: () => trouble }
  const judge = new RecordJudge(config, coming)
  let over = false
  const first = judge.ready(framed).then(() => {
    over = true
  })
  await vi.advanceTimersByTimeAsync(14_800)
  expect(over).toBe(false)
  await vi.advanceTimersByTimeAsync(400)
  await first
  // No timer moves from here on.
  await judge.ready(framed)
  expect(judge.judge(framed)).toMatchObject({ kind: 'invalid', reason: 'SCHEMA_UNKNOWN' })
  here = true
  await judge.ready(framed)
  expect(judge.judge(framed)).toMatchObject({ kind: 'counted' })
})

test('a schema that the registry does not know, or refuses, is not waited for', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  for (const trouble of [UNKNOWN, { code: 'CTR_REGISTRY_AUTH', message: 'no' } as const]) {
    await new RecordJudge(config, { ...schemas(false, trouble), arrival: () => new Promise(() => {}) }).ready(framed)
  }
})
