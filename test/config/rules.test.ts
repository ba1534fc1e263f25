import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'

const SLIDING = ['window.type=sliding', 'time.allowedLateness=0s']
const CALENDAR = ['window.type=calendar', 'window.unit=day']
const LONG = ['time.allowedLateness=2d', 'window.size=1d', 'window.slide=1h', 'time.outOfOrderness=0s']
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
  [['clickhouse.tls={}', 'clickhouse.url=https://h:1,http://h:2'], 'clickhouse.tls has no effect: clickhouse.url is not https'],
  [['clickhouse.url=http://h:1,http://h:2,http://h:1/'], 'clickhouse.url[2] is listed twice'],
  [['clickhouse.cluster=c'], 'clickhouse.cluster is about servers, and without clickhouse.url ClickHouse runs embedded'],
  [['clickhouse.singleServer=true', 'clickhouse.embedded=x'], 'clickhouse.singleServer is about servers'],
  [
    ['clickhouse.url=http://h:1', 'clickhouse.cluster=c', 'clickhouse.singleServer=true'],
    'clickhouse.singleServer and clickhouse.cluster exclude',
  ],
  [['clickhouse.url=http://h:1', "clickhouse.cluster=c'"], 'clickhouse.cluster is not valid'],
  [['deadLetter.topic=a', 'deadLetter.file=b'], 'deadLetter.file and deadLetter.topic exclude each other'],
  [['sink.revisionFrom=2026-01-01'], 'sink.revisionFrom has no effect when sink.revision is 0'],
  [['late.topic=a', 'late.file=b'], 'late.file and late.topic exclude each other'],
  [['kafka.topics=a', 'late.topic=a'], 'late.topic is an input topic too'],
  [['window.size=61s', 'time.maxDrift=1m'], 'time.maxDrift must not be shorter than window.size (61s)'],
  [['window.size=1s', 'time.allowedLateness=9936s'], 'window.size is too short'],
  [['window.type=sliding'], 'window.slide is missing, but window.type is sliding'],
  [
    ['kafka.topics=[{name: a, format: avro, events: {click: {field: clicked}}}]', 'schemaRegistry.url=http://localhost:8081'],
    'kafka.topics[0].format is avro, and its records may be several events',
  ],
  [['window.slide=5s'], 'window.slide has no meaning with window.type: tumbling'],
  [[...SLIDING, 'window.slide=11s'], 'window.slide must not be longer than window.size (10s)'],
  [[...SLIDING, 'window.size=61s', 'window.slide=1s'], 'window.slide is too short: each event would count in 61 windows, 60 at most'],
  [[...SLIDING, 'window.size=10001ms', 'window.slide=10s'], 'window.size makes too many slices of 1ms with window.slide'],
  [[...SLIDING, 'window.slide=5s', 'time.oldest=1970-01-01T00:00:09Z'], 'time.oldest must be 10s (window.size) after 1970 or later'],
  [['window.type=calendar'], 'window.unit is missing, but window.type is calendar'],
  [[...CALENDAR, 'window.slide=1h'], 'window.slide has no meaning with window.type: calendar'],
  [[...CALENDAR, 'window.offset=1h'], 'window.offset has no meaning with window.type: calendar'],
  [[...CALENDAR, 'window.zone=Europe/Berlyn'], 'window.zone is no time zone'],
  [[...CALENDAR, 'time.maxDrift=25h'], 'time.maxDrift must not be shorter than window.size (26h)'],
  [[...CALENDAR, 'time.oldest=1970-01-02T01:59:59Z'], 'time.oldest must be 26h (window.size) after 1970 or later'],
  [['window.offset=10s'], 'window.offset must be shorter than window.size'],
  [['window.offset=1s', 'time.oldest=1970-01-01T00:00:09Z'], 'time.oldest must be 10s (window.size) after 1970 or later'],
  [[...SLIDING, ...LONG, 'clickhouse.retention.results=4d'], 'clickhouse.retention.results is too short'],
  [['clickhouse.retention.results=47h'], 'clickhouse.retention.results must not be shorter than clickhouse.retention.recent (2d)'],
  [['clickhouse.retention={results: 3d, recent: 4d}'], 'clickhouse.retention.results must not be shorter than'],
  [['time.allowedLateness=3d', 'window.size=1d', 'clickhouse.retention.results=4d'], 'clickhouse.retention.results is too short'],
  [['time.allowedLateness=3d', 'window.size=1d', 'clickhouse.retention.ledger=4d'], 'clickhouse.retention.ledger is too short'],
  [['time.allowedLateness=3d', 'window.size=1d', 'clickhouse.retention.minutely=5d'], 'hours are computed from minutes'],
  [['time.allowedLateness=3d', 'window.size=1d', 'clickhouse.retention.hourly=6d'], 'days are computed from hours'],
  [
    ['time.allowedLateness=3d', 'window.size=1d', 'sink.history=true', 'clickhouse.retention.emissions=4d'],
    'clickhouse.retention.emissions is too short',
  ],
  [['clickhouse.intervals.level=49%'], 'clickhouse.intervals.level is out of range'],
  [['clickhouse.intervals.level=1'], 'clickhouse.intervals.level is out of range'],
  [['products.match={}'], 'products.match says nothing about ids'],
  [['products.match.pattern=('], 'products.match.pattern is no regular expression'],
])('%j is refused', (sets, part) => {
  expect(fault(...sets)).toContain(part)
})

test.each([
  [['kafka.startFrom=timestamp', 'kafka.startTimestamp=1']],
  [['kafka.security.protocol=SASL_PLAINTEXT', SASL]],
  [['kafka.security.protocol=SASL_SSL', SASL, 'kafka.security.ssl={rejectUnauthorized: false}']],
  [['clickhouse.url=https://h:1', 'clickhouse.tls={}']],
  [['clickhouse.url=https://h:1,https://h:2', 'clickhouse.tls={}', 'clickhouse.cluster=my-cluster.eu_1']],
  [['clickhouse.url=http://h:1', 'clickhouse.singleServer=true']],
  [['sink.revision=1', 'sink.revisionFrom=2026-01-01']],
  [['window.size=60s', 'time.maxDrift=1m']],
  [['window.size=1d']],
  [['window.size=1s', 'time.allowedLateness=9935s']],
  [[...SLIDING, 'window.slide=10s']],
  [[...SLIDING, 'window.slide=10s', 'events.click.field=clicked']],
  [[...SLIDING, 'window.size=1m', 'window.slide=1s']],
  [[...SLIDING, 'window.size=21s', 'window.slide=9s', 'time.maxDrift=1m', 'window.offset=20s']],
  [[...SLIDING, 'window.slide=5s', 'time.oldest=1970-01-01T00:00:10Z']],
  [['window.offset=9999ms']],
  [[...CALENDAR, 'window.zone=Asia/Kolkata', 'window.weekStart=sunday']],
  [[...CALENDAR, 'time.maxDrift=26h', 'time.oldest=1970-01-02T02:00:00Z']],
  [['time.oldest=1970-01-01T00:00:09Z']],
  [[...SLIDING, ...LONG, 'clickhouse.retention.results=5d']],
  [['time.allowedLateness=3d', 'window.size=1d', 'clickhouse.retention.emissions=4d']],
  [['clickhouse.intervals.level=50%']],
  [['clickhouse.intervals.level=99.99%', 'clickhouse.intervals.minImpressions=0']],
  [['clickhouse.retention={results: 2d, minutely: 2d, hourly: 3d, daily: 70d, ledger: 2d}']],
  [['time.allowedLateness=3d', 'window.size=1d', 'time.outOfOrderness=0s', 'clickhouse.retention.results=5d']],
  [['kafka.topics=a', 'deadLetter.file=b']],
  [['products.match.list=a,b', 'products.match.maxLength=4']],
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
