/** What is refused before a broker is asked. */
import { expect, test } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { REASON_TEXT } from '../../src/format/reasons.ts'
import type { FoundLetter } from '../../src/letters/letter.ts'
import { type RetryOptions, retryLetters } from '../../src/letters/retry.ts'
import type { LetterStream } from '../../src/letters/source.ts'
import { createLogger } from '../../src/log.ts'
import { deadLetterOf } from '../../src/output/dead-letter.ts'
import { clientOptions } from '../../src/run/clients.ts'

function found(topic: string): FoundLetter {
  const letter = deadLetterOf({
    kind: 'invalid',
    writer: 'ctr/g',
    topic,
    partition: 0,
    offset: 7,
    envelope: undefined,
    reason: 'TYPE',
    message: REASON_TEXT.TYPE,
    bytes: Buffer.from('{}'),
    truncated: false,
    eventTime: undefined,
    createdAt: 1000,
  })
  return { place: '0/1', reason: 'TYPE', letter }
}

async function* stream(...letters: FoundLetter[]): LetterStream {
  yield* letters
}

// Nobody listens there: what comes so far says that it can't be reached.
const config = configSchema.parse({ kafka: { brokers: '127.0.0.1:1' } })
const client = clientOptions(config, createLogger({ ...config.log, level: 'error' }))

function retry(topic: string, more: Partial<RetryOptions> = {}): Promise<unknown> {
  const options: RetryOptions = {
    choice: {},
    limit: Number.POSITIVE_INFINITY,
    topics: ['clicks', 'views'],
    timedByRecord: ['views'],
    progressTopic: 'retried',
    perTransaction: 10,
    by: 'test',
    dryRun: false,
    ...more,
  }
  return retryLetters(stream(found(topic)), client, options, () => undefined)
}

test('nothing goes into a topic whose events have the time of their record', async () => {
  for (const more of [{}, { dryRun: true }]) {
    await expect(retry('views', more)).rejects.toMatchObject({
      code: 'CTR_USAGE',
      message: expect.stringMatching(/^events\.time\.source of topic views is record, .*--topic, or name with --into/),
    })
    await expect(retry('clicks', { ...more, into: 'views' })).rejects.toMatchObject({ code: 'CTR_USAGE' })
  }
})

test('nor into one that the configuration does not have', async () => {
  await expect(retry('elsewhere')).rejects.toThrow(/^there are letters of topic elsewhere, which is none of kafka\.topics/)
})
