/** Planted personal data through the pipeline, without servers: what its outputs, its log and its samples hold. */
import { expect, test } from 'vitest'
import { type Config, configSchema } from '../../src/config/schema.ts'
import { createLogger } from '../../src/log.ts'
import { type DeadLetter, deadLetterOf } from '../../src/output/dead-letter.ts'
import type { Output } from '../../src/output/output.ts'
import { assemble } from '../../src/run/assemble.ts'
import { deadLettersAnswer } from '../../src/server/state-answers.ts'
import { RowCollector } from '../../src/trial/row-collector.ts'
import { TrialSource } from '../../src/trial/trial-source.ts'
import { temporaryFile } from '../support/config-file.ts'
import { avroValues, foundIn, INVALID, jsonValues, LATE, MASK_KEY, NOW, PLANTED, SCHEMA } from '../support/planted.ts'

type Payload = Config['privacy']['payload']

function collecting(letters: DeadLetter[]): Output {
  const atOnce = async () => undefined
  return { full: false, put: (record) => void letters.push(deadLetterOf(record)), room: atOnce, delivered: atOnce, close: atOnce }
}

async function run(payload: Payload) {
  const config = configSchema.parse({
    kafka: { topics: ['json', { name: 'avro', format: 'avro', schemaFile: temporaryFile(JSON.stringify(SCHEMA.schema()), 'event.avsc') }] },
    window: { size: '1s' },
    time: { outOfOrderness: '0ms', allowedLateness: '0ms', idleTimeout: '1d', maxDrift: '1d', futureTolerance: '1h' },
    engine: { workers: 1 },
    privacy: {
      payload,
      ...(payload === 'masked' && { keep: ['product_id', 'event_type'] }),
      keys: [{ id: 'k1', file: temporaryFile(MASK_KEY, 'key') }],
    },
  })
  const records = [jsonValues(), avroValues()].flatMap((values, topicIndex) =>
    values.map((value) => ({ topicIndex, partition: topicIndex, time: NOW, value: Buffer.from(value), after: undefined })),
  )
  const letters: DeadLetter[] = []
  const late: DeadLetter[] = []
  const lines: string[] = []
  const logger = createLogger({ level: 'trace', pretty: false }, { write: (line: string) => void lines.push(line) })
  const pipeline = assemble(config, {
    source: new TrialSource(records, { afterMs: 30_000, why: () => undefined }, () => undefined),
    topics: ['json', 'avro'],
    outputs: { deadLetters: collecting(letters), late: collecting(late) },
    bounded: true,
    log: logger,
    sink: (rings) => new RowCollector(rings),
  })
  void pipeline.start()
  await pipeline.finished
  const stats = pipeline.stats()
  const { samples } = deadLettersAnswer({ stats, now: NOW } as Parameters<typeof deadLettersAnswer>[0])
  expect([letters.length, late.length]).toEqual([INVALID, LATE])
  return { letters, late, log: lines.join(''), samples, stats: JSON.stringify(stats) }
}

const LETTERED = Object.keys(PLANTED).filter((name) => !['key', 'header', 'headerName', 'ignored', 'type'].includes(name))

test('in letters all of it is found where nothing is masked', async () => {
  const { letters, late, log } = await run('full')
  expect(foundIn(JSON.stringify([letters, late]))).toEqual(LETTERED)
  expect(foundIn(log)).toEqual([])
})

test.each(['masked', 'none'] as const)('with %s nothing of it is in letters, log and samples', async (payload) => {
  const { letters, late, log, samples, stats } = await run(payload)
  for (const text of [JSON.stringify(letters), JSON.stringify(late), log, JSON.stringify(samples), stats]) expect(foundIn(text)).toEqual([])
  for (const letter of [...letters, ...late]) expect(letter).toMatchObject({ payload, rawTruncated: true })
  expect(log).toContain('invalid input dead-lettered')
  const shown = payload === 'masked'
  expect(samples).toHaveLength(INVALID)
  expect(samples.some(({ masked }) => masked !== null)).toBe(shown)
  // Avro is masked by its fields where its schema fits.
  const [ofAvro] = late.filter(({ rawTopic }) => rawTopic === 'avro')
  const masked =
    /^\{"user_id":"\*{3}text:k1:[0-9a-f]{16}","product_id":"p-1","event_type":"click","timestamp":"\*{3}number:k1:[0-9a-f]{16}"\}$/
  expect(ofAvro?.rawData).toMatch(shown ? masked : /^$/)
  // Of what does not fit there is one mask.
  const broken = letters.filter(({ rawTopic }) => rawTopic === 'avro')
  for (const { rawData, errorMessage } of broken) {
    expect(rawData).toMatch(shown ? /^\*{3}bytes:k1:[0-9a-f]{16}:\d+$/ : /^$/)
    expect(errorMessage).toMatch(/^the value is not what its Avro schema says: at byte \d+: \*{3}$/)
  }
  expect(broken).toHaveLength(3)
})
