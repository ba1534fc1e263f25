import { expect, test } from 'vitest'
import { loadConfig, writtenConfig } from '../../src/config/load.ts'
import { configDifferences, printConfig } from '../../src/config/print.ts'
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

test('units are those that people write, and each value says where it comes from', () => {
  const file = temporaryFile(`window:
  size: 90s
kafka:
  brokers: ["\${HOST}:9092", b:1]
  groupId: \${GROUP:g}
  clientId: \${NONE:}
clickhouse:
  password: \${PW}
tenant: t
`)
  const sets = ['kafka.fetchBytesPerPartition=65536', '--time.maxJump=1m', 'kafka.security={protocol: SSL}', 'tenant=']
  const text = printConfig(writtenConfig({ file, sets, env: { HOST: 'h', PW: 'x' } }))
  for (const line of [
    `  size: 90s  # ${file}:2`,
    `  brokers: [h:9092, b:1]  # environment HOST, ${file}:4`,
    `  groupId: g  # ${file}:5`,
    '  clientId: ctr  # default',
    `  password: "***"  # environment PW, ${file}:8`,
    '  fetchBytesPerPartition: 64KiB  # --set',
    '  maxJump: 1m  # --time.maxJump',
    '    protocol: SSL  # --set',
    'tenant: default  # default',
    '  outOfOrderness: 5s  # default',
    // Of the same sections as what is given.
    '  startFrom: committed  # default',
    '  username: default  # default',
    '  maxDrift: 90s  # default',
  ])
    expect(text.split('\n')).toContain(line)
})

test('what differs is a line with both values and where they come from, without secrets', () => {
  const written = (yaml: string, sets: string[] = []) => writtenConfig({ file: temporaryFile(yaml, 'a.yaml'), sets, env: {} })
  const a = written('window: { size: 60s }\nclickhouse: { password: hunter2 }\nkafka: { topics: [a, b] }\n')
  const b = written('window: { size: 1m }\nclickhouse: { password: hunter3 }\nkafka: { topics: [a] }\n', ['late.file=x'])
  expect(configDifferences(a, a)).toEqual([])
  const lines = configDifferences(a, b).map((line) => line.replaceAll(/\([^)]*\/a.yaml/g, '(a.yaml'))
  expect(lines).toEqual([
    'kafka.topics: [{name: a, format: json}, {name: b, format: json}] (a.yaml:3) → [{name: a, format: json}] (a.yaml:3)',
    'clickhouse.password: "***" (a.yaml:2) → "***" (a.yaml:2)',
    'late.file: nothing → x (--set)',
  ])
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
  expect(print(undefined)).toContain('  password: ""  # default\n')
})

test('the path of a PEM file is printed, not its content', () => {
  const ca = temporaryFile('-----BEGIN CERTIFICATE-----', 'ca.pem')
  expect(print(undefined, ['clickhouse.url=https://h:1', `clickhouse.tls={ca: ${ca}}`])).toContain(`ca: ${ca}`)
})

test('what may be off is off, or a duration in its range', () => {
  const time = (...sets: string[]) => loadConfig({ sets: sets.map((set) => `time.${set}`), env: {} }).time
  expect(time()).toMatchObject({ maxJump: 600_000, wallClockGuard: Number.POSITIVE_INFINITY, oldest: Date.UTC(2000, 0, 1) })
  expect(time('maxJump=off', 'wallClockGuard=0s')).toMatchObject({ maxJump: Number.POSITIVE_INFINITY, wallClockGuard: 0 })
  expect(time('maxJump=1s', 'oldest=1970-01-01')).toMatchObject({ maxJump: 1_000, oldest: 0 })
  for (const wrong of ['maxJump=999ms', 'maxJump=never', 'wallClockGuard=366d']) expect(() => time(wrong)).toThrow(wrong.split('=')[0])
  const file = temporaryFile('time:\n  maxJump: off\n')
  const text = print(file)
  expect(text).toContain(`  maxJump: off  # ${file}:2\n`)
  expect(text).toContain('  wallClockGuard: off')
})
