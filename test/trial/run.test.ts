/** Cases whose schemas don't come. */
import { expect, test } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { createLogger } from '../../src/log.ts'
import { readCases } from '../../src/trial/cases.ts'
import { runCases } from '../../src/trial/run.ts'
import { temporaryFile } from '../support/config-file.ts'

test('a registry that is away ends it with a remedy', async () => {
  const config = configSchema.parse({
    kafka: { topics: [{ name: 'clicks', format: 'avro' }] },
    schemaRegistry: { url: 'http://127.0.0.1:1', cache: { store: false } },
  })
  const cases = readCases(temporaryFile('cases: [{name: a, events: [{base64: AAAAABEC, is: counted}]}]', 'cases.yaml'))
  const running = runCases(config, cases, createLogger({ ...config.log, level: 'silent' }), 500)
  await expect(running).rejects.toMatchObject({
    code: 'CTR_REGISTRY_UNREACHABLE',
    message: expect.stringMatching(/for schema id:17: .*kafka\.topics\[\]\.schemaFile/),
  })
})
