import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'

const SASL = 'kafka.security.sasl={mechanism: PLAIN, username: u, password: p}'

function fault(...sets: string[]): string | undefined {
  try {
    loadConfig({ sets, env: {} })
  } catch (error) {
    const lines = (error as Error).message.split('\n').slice(1)
    expect(lines).toHaveLength(1)
    return lines[0]?.trim()
  }
  return undefined
}

test.each([
  [['kafka.topics=a,b,a'], 'kafka.topics[2].name is listed twice'],
  [['kafka.topics=a', 'deadLetter.topic=a'], 'deadLetter.topic is an input topic too'],
  [['kafka.startFrom=timestamp'], 'kafka.startTimestamp is missing, but kafka.startFrom is timestamp'],
  [['kafka.startTimestamp=1'], 'kafka.startTimestamp has no effect when kafka.startFrom is committed'],
  [['kafka.maxWait=30s'], 'kafka.requestTimeout must be longer than kafka.maxWait (30s)'],
  [['kafka.security.protocol=SASL_SSL'], 'kafka.security.sasl is missing, but kafka.security.protocol is SASL_SSL'],
  [['kafka.security.protocol=SASL_PLAINTEXT'], 'kafka.security.sasl is missing'],
  [[SASL], 'kafka.security.sasl has no effect when kafka.security.protocol is PLAINTEXT'],
  [[SASL, 'kafka.security.protocol=SSL'], 'set kafka.security.protocol to SASL_SSL'],
  [['kafka.security.ssl={}'], 'kafka.security.ssl has no effect when kafka.security.protocol is PLAINTEXT'],
  [['clickhouse.url=http://h:1', 'clickhouse.embedded=x'], 'clickhouse.embedded and clickhouse.url exclude each other'],
  [['clickhouse.tls={}'], 'clickhouse.tls has no effect: there is no clickhouse.url'],
  [['clickhouse.tls={}', 'clickhouse.url=http://h:1'], 'clickhouse.tls has no effect: clickhouse.url is not https'],
  [['deadLetter.topic=a', 'deadLetter.file=b'], 'deadLetter.file and deadLetter.topic exclude each other'],
  [['window.size=61s', 'time.maxDrift=1m'], 'time.maxDrift must not be shorter than window.size (61s)'],
  [['window.size=1s', 'time.allowedLateness=9936s'], 'window.size is too short'],
])('%j is refused', (sets, part) => {
  expect(fault(...sets)).toContain(part)
})

test.each([
  [['kafka.startFrom=timestamp', 'kafka.startTimestamp=1']],
  [['kafka.security.protocol=SASL_PLAINTEXT', SASL]],
  [['kafka.security.protocol=SASL_SSL', SASL, 'kafka.security.ssl={rejectUnauthorized: false}']],
  [['clickhouse.url=https://h:1', 'clickhouse.tls={}']],
  [['window.size=60s', 'time.maxDrift=1m']],
  [['window.size=1d']],
  [['window.size=1s', 'time.allowedLateness=9935s']],
  [['kafka.topics=a', 'deadLetter.file=b']],
])('%j is sound', (sets) => {
  expect(fault(...sets)).toBeUndefined()
})

test('a client certificate needs its key, and a key its certificate', () => {
  const pem = '-----BEGIN X-----'
  const ssl = (fields: string) => ['kafka.security.protocol=SSL', `kafka.security.ssl={${fields}}`]
  expect(fault(...ssl(`cert: "${pem}"`))).toContain('kafka.security.ssl.key is missing, but cert is given')
  expect(fault(...ssl(`key: "${pem}"`))).toContain('kafka.security.ssl.cert is missing, but key is given')
  expect(fault(...ssl(`key: "${pem}", cert: "${pem}"`))).toBeUndefined()
})
