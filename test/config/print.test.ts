import { expect, test } from 'vitest'
import { loadConfig, writtenConfig } from '../../src/config/load.ts'
import { printConfig } from '../../src/config/print.ts'
import { temporaryFile } from '../support/config-file.ts'

const print = (file: string | undefined, sets: string[] = []) => printConfig(writtenConfig({ file, sets, env: {} }))

test('what is printed loads again as the same configuration', () => {
  const file = temporaryFile(
    'window: { size: 90s }\nkafka: { topics: [a, b], startFrom: timestamp, startTimestamp: 2025-01-31T12:00:00Z }\n',
  )
  const sets = ['clickhouse.url=https://ch:8443', 'tenant=#odd: "tenant"']
  const printed = temporaryFile(print(file, sets))
  expect(loadConfig({ file: printed, env: {} })).toEqual(loadConfig({ file, sets, env: {} }))
})

test('units are those that people write, and what is not a default says where it comes from', () => {
  const text = print(temporaryFile('window:\n  size: 90s\n'), ['kafka.fetchBytesPerPartition=65536'])
  expect(text).toContain('  size: 90s  # line 2\n')
  expect(text).toContain('  fetchBytesPerPartition: 64KiB  # --set\n')
  expect(text).toContain('  outOfOrderness: 5s\n')
})

test('secrets are masked, and an empty one shows as empty', () => {
  const key = '-----BEGIN PRIVATE KEY-----hunter2'
  const text = print(undefined, [
    'clickhouse.password=hunter2',
    'kafka.security.protocol=SASL_SSL',
    'kafka.security.sasl={mechanism: PLAIN, username: u, password: hunter2}',
    `kafka.security.ssl={key: "${key}", cert: "${key}"}`,
  ])
  expect(text).not.toContain('hunter2')
  expect(text.match(/\*\*\*/g)).toHaveLength(4)
  expect(print(undefined)).toContain('  password: ""\n')
})

test('the path of a PEM file is printed, not its content', () => {
  const ca = temporaryFile('-----BEGIN CERTIFICATE-----', 'ca.pem')
  expect(print(undefined, ['clickhouse.url=https://h:1', `clickhouse.tls={ca: ${ca}}`])).toContain(`ca: ${ca}`)
})
