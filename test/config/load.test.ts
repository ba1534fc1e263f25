// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${VAR} is the notation under test
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { CtrError, exitCodeOf } from '../../src/errors.ts'
import { temporaryFile } from '../support/config-file.ts'

const load = (yaml: string, sets: string[] = [], env: Record<string, string> = {}): Config =>
  loadConfig({ file: temporaryFile(yaml), sets, env })

function faults(yaml: string, sets: string[] = [], env: Record<string, string> = {}): string[] {
  try {
    load(yaml, sets, env)
  } catch (error) {
    expect(error).toBeInstanceOf(CtrError)
    expect((error as CtrError).code).toBe('CTR_CONFIG')
    expect(exitCodeOf(error)).toBe(2)
    return (error as CtrError).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
  return []
}

describe('what is read', () => {
  test('an empty file means localhost and the embedded ClickHouse', () => {
    const config = load('')
    expect(config).toEqual(loadConfig({ env: {} }))
    expect(config.kafka.brokers).toEqual(['localhost:9092'])
    expect(config.kafka.topics).toEqual([
      { name: 'impressions', format: 'json' },
      { name: 'clicks', format: 'json' },
    ])
    expect(config.clickhouse.url).toBeUndefined()
    expect(config.clickhouse.embedded).toBe('./.ctr/clickhouse')
    expect(config.deadLetter.topic).toBe('ctr-dead-letters')
    expect([config.window.size, config.time.outOfOrderness, config.time.allowedLateness, config.time.idleTimeout]).toEqual([
      10_000, 5000, 5000, 30_000,
    ])
    expect(config.engine.workers).toBe('auto')
  })

  test('sections without content, and a file of comments, are defaults', () => {
    expect(load('# nothing\nkafka:\nwindow:\n  size:\n')).toEqual(load(''))
  })

  test('durations become ms and sizes bytes', () => {
    const config = load('window: { size: 1m }\nkafka: { fetchBytesPerPartition: 64KiB, maxWait: 250ms }')
    expect([config.window.size, config.kafka.fetchBytesPerPartition, config.kafka.maxWait]).toEqual([60_000, 65_536, 250])
  })

  test('a server replaces the embedded ClickHouse, a file the dead-letter topic', () => {
    const config = load('clickhouse: { url: "https://ch:8443" }\ndeadLetter: { file: bad.jsonl }')
    expect([config.clickhouse.url, config.clickhouse.embedded]).toEqual([['https://ch:8443'], undefined])
    expect([config.deadLetter.file, config.deadLetter.topic]).toEqual(['bad.jsonl', undefined])
  })

  test('topics may be given by name, and lists as one comma-separated text', () => {
    const config = load('kafka: { topics: [views, clicks], brokers: "a:1, b:2" }')
    expect(config.kafka.topics).toEqual([
      { name: 'views', format: 'json' },
      { name: 'clicks', format: 'json' },
    ])
    expect(config.kafka.brokers).toEqual(['a:1', 'b:2'])
  })

  test('a start time is ISO-8601 or ms', () => {
    const at = (time: string) => load(`kafka: { startFrom: timestamp, startTimestamp: ${time} }`).kafka.startTimestamp
    expect(at('2025-01-31T12:00:00Z')).toBe(Date.UTC(2025, 0, 31, 12))
    expect(at('1738324800000')).toBe(1_738_324_800_000)
  })

  test('the result is frozen through and through', () => {
    const config = load('')
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.kafka.topics[0])).toBe(true)
    expect(() => {
      ;(config.window as { size: number }).size = 1
    }).toThrow(TypeError)
  })
})

describe('the environment', () => {
  test('variables give numbers, flags, lists and text alike', () => {
    const yaml = 'kafka:\n  brokers: ${B}\n  checkCrc: ${CRC}\nhttp:\n  port: ${PORT:1234}\nclickhouse:\n  password: ${PW}\n'
    const config = load(yaml, [], { B: 'a:1,b:2', CRC: 'true', PW: '0123' })
    expect(config.kafka.brokers).toEqual(['a:1', 'b:2'])
    expect(config.kafka.checkCrc).toBe(true)
    expect(config.http.port).toBe(1234)
    expect(config.clickhouse.password).toBe('0123')
  })

  test('a missing variable without a default is a fault that names it, its key and its line', () => {
    expect(faults('kafka:\n  clientId: x-${CLIENT}\n')).toEqual([
      'kafka.clientId environment variable CLIENT is not set (line 2); set CLIENT, or give a default: ${CLIENT:value}',
    ])
  })

  test('an empty default leaves the key at its own default', () => {
    expect(load('clickhouse:\n  url: ${URL:}\n').clickhouse.embedded).toBe('./.ctr/clickhouse')
  })

  test('what a variable holds never becomes structure', () => {
    expect(load('tenant: ${T}', [], { T: 'a\nhttp: {port: 1}' }).tenant).toBe('a\nhttp: {port: 1}')
  })

  test('comments and keys are left alone', () => {
    expect(load('# ${NOT_SET}\ntenant: a')).toMatchObject({ tenant: 'a' })
    expect(faults('${KEY}: 1')).toHaveLength(1)
  })
})

describe('--set', () => {
  test('overrides the file, later ones the earlier', () => {
    expect(load('window: { size: 1m }', ['window.size=2m', 'window.size=3m']).window.size).toBe(180_000)
  })

  test('takes lists and whole sections as YAML', () => {
    const config = load('', ['kafka.topics=[a, {name: b}]', 'kafka.security={protocol: SSL}'])
    expect(config.kafka.topics.map(({ name }) => name)).toEqual(['a', 'b'])
    expect(config.kafka.security.protocol).toBe('SSL')
  })

  test('keeps a value that looks like a number as text where text is wanted', () => {
    expect(load('', ['clickhouse.password=0123', 'tenant=true'])).toMatchObject({ clickhouse: { password: '0123' }, tenant: 'true' })
  })

  test('changes one of two sections that share a YAML alias, not both', () => {
    const pem = '-----BEGIN X-----'
    const yaml = `clickhouse: { url: "https://h:1", tls: &tls { ca: "${pem}" } }\nkafka: { security: { protocol: SSL, ssl: *tls } }`
    const config = load(yaml, ['clickhouse.tls.rejectUnauthorized=false'])
    expect([config.clickhouse.tls?.rejectUnauthorized, config.kafka.security.ssl?.rejectUnauthorized]).toEqual([false, true])
    expect(config.kafka.security.ssl?.ca).toBe(pem)
  })

  test('a value may hold an equals sign, and an empty one takes the key back to its default', () => {
    expect(load('tenant: a', ['clickhouse.password=a=b', 'tenant=']).clickhouse.password).toBe('a=b')
    expect(load('tenant: a', ['tenant=']).tenant).toBe('default')
  })

  test('one that was an option of its own is told as that', () => {
    expect(load('', ['--tenant=x', '--window.size=2m'])).toMatchObject({ tenant: 'x', window: { size: 120_000 } })
    expect(faults('', ['--window.size=x', '--windw.size=1s', '--window.size'])).toEqual([
      'windw.size is not a key (--windw.size); did you mean window.size?',
      '--window.size has no value; write --window.size=value',
      'window.size is not a duration, got "x" (--window.size); write 500ms, 10s, 5m, 1h',
    ])
  })

  test('an unknown key and a missing value are faults', () => {
    expect(faults('', ['windw.size=1s', 'window.size'])).toEqual([
      'windw.size is not a key (--set); did you mean window.size?',
      '--set window.size has no value; write --set key=value, for example --set window.size=1m',
    ])
  })
})

describe('faults', () => {
  test('are all reported at once, in the order of the file, each with key, value, line and remedy', () => {
    const yaml = `kafka:
  brokers: [localhost, "b:99999"]
  grupId: x
  maxWait: 10 parsecs
  startFrom: Latest
window:
  size: 2h
time:
  maxDrift: 1s
`
    expect(faults(yaml, ['http.port=70000'])).toEqual([
      'kafka.brokers[0] is not valid, got "localhost" (line 2); write host:port, for example localhost:9092',
      'kafka.brokers[1] is not valid, got "b:99999" (line 2); write host:port, for example localhost:9092',
      'kafka.grupId is not a key (line 3); did you mean kafka.groupId?',
      'kafka.maxWait is not a duration, got "10 parsecs" (line 4); write 500ms, 10s, 5m, 1h',
      'kafka.startFrom is not one of the choices, got "Latest" (line 5); write latest',
      'time.maxDrift must not be shorter than window.size (2h), got "1s" (line 9); write at least 2h',
      'http.port is out of range, got "70000" (--set); write a value from 0 to 65535',
    ])
  })

  test.each([
    ['brokers: a:1', 'brokers is not a key (line 1); did you mean kafka.brokers?'],
    ['kafka: { group_id: a }', 'kafka.group_id is not a key (line 1); did you mean kafka.groupId?'],
    ['window_size: 1s', 'window_size is not a key (line 1); did you mean window.size?'],
    ['clikhouse: {}', 'clikhouse is not a key (line 1); did you mean clickhouse?'],
    ['kafka: { topics: [{ name: a, frmt: json }] }', 'kafka.topics[0].frmt is not a key (line 1); did you mean kafka.topics[0].format?'],
    ['size: 10s', 'size is not a key (line 1); did you mean window.size?'],
    ['file: x', 'file is not a key (line 1); did you mean deadLetter.file or late.file or privacy.keys[].file?'],
    ['retention: {}', 'retention is not a key (line 1); did you mean clickhouse.retention or deadLetter.retention or late.retention?'],
    ['clickhouse: { user: x }', 'clickhouse.user is not a key (line 1); did you mean clickhouse.username?'],
    ['kafka: { securty: {} }', 'kafka.securty is not a key (line 1); did you mean kafka.security?'],
    ['zzzzzz: 1', 'zzzzzz is not a key (line 1); `ctr config print` shows all keys'],
    ['__proto__: { x: 1 }', '__proto__ is not a key (line 1); `ctr config print` shows all keys'],
  ])('%j names the nearest key', (yaml, fault) => {
    expect(faults(yaml)).toEqual([fault])
  })

  test.each([
    ['kafka: 5', 'kafka must be a section (line 1); put its keys below it: brokers, clientId'],
    ['kafka: { maxWait: 250 }', 'kafka.maxWait has no unit, got 250 (line 1); write 250s or 250ms'],
    ['time: { maxJump: "5" }', 'time.maxJump has no unit, got "5" (line 1); write 5s or 5ms'],
    ['time: { oldest: 1738324800 }', 'time.oldest may be seconds or ms, got 1738324800 (line 1); write 2025-01-31T12:00:00Z'],
    ['kafka: { topics: {} }', 'kafka.topics must be a list (line 1); write [a, b]'],
    ['kafka: { topics: [] }', 'kafka.topics is empty (line 1); list at least one'],
    ['kafka: { brokers: "" }', 'kafka.brokers is empty (line 1); list at least one'],
    ['kafka: { clientId: 12 }', 'kafka.clientId is not text, got 12 (line 1); put it in quotes'],
    ['kafka: { checkCrc: yes }', 'kafka.checkCrc is neither true nor false, got "yes" (line 1); write true or false'],
    ['tenant: ""', 'tenant is empty, got "" (line 1)'],
    ['engine: { workers: many }', 'engine.workers is not a whole number or auto, got "many" (line 1); write auto or a number'],
    ['- a', 'must hold keys and values'],
    ['kafka: [1', 'is not YAML'],
    ['a: &x [*x]', "the YAML can't be read: an alias refers to what it stands in; mend its aliases"],
    ['a: 1\na: 2', 'Map keys must be unique (line 2)'],
  ])('%j says what is wrong', (yaml, part) => {
    const [fault, ...others] = faults(yaml)
    expect(others).toEqual([])
    expect(fault).toContain(part)
  })

  test.each([
    ['http: { port: 65535 }', 0],
    ['http: { port: 65536 }', 1],
    ['http: { port: -1 }', 1],
    ['engine: { workers: 0 }', 1],
    ['engine: { workers: 1 }', 0],
    ['engine: { workers: 64 }', 0],
    ['engine: { workers: 65 }', 1],
    ['window: { size: 99ms }', 1],
    ['window: { size: 100ms }', 0],
    ['sink: { revision: 8191 }', 0],
    ['sink: { revision: 8192 }', 1],
    [`tenant: ${'x'.repeat(128)}`, 0],
    [`tenant: ${'x'.repeat(129)}`, 1],
    [`tenant: ${'ü'.repeat(64)}`, 0],
    [`tenant: ${'ü'.repeat(65)}`, 1],
    ['kafka: { brokers: ["h:65535", "[::1]:1"] }', 0],
    ['kafka: { brokers: ["h:65536"] }', 1],
    ['kafka: { brokers: ["h:0"] }', 1],
    [`kafka: { topics: [${'t'.repeat(249)}] }`, 0],
    [`kafka: { topics: [${'t'.repeat(250)}] }`, 1],
    ['kafka: { topics: [".."] }', 1],
    ['clickhouse: { database: "a-b" }', 1],
  ])('%j has %d faults', (yaml, count) => {
    expect(faults(yaml)).toHaveLength(count)
  })

  test('a file that does not exist is one fault with its name', () => {
    expect(() => loadConfig({ file: '/no/such/file.yaml', env: {} })).toThrow(
      /\/no\/such\/file\.yaml does not exist; give --config the path/,
    )
  })

  test('secrets are never shown, however wrong they stand', () => {
    const yaml = `clickhouse:
  url: http://user:hunter2@host:8123
  password: [hunter2]
  pasword: hunter2
kafka:
  security:
    sasl: hunter2
    ssl: { key: hunter2, cert: x }
`
    const text = faults(yaml).join('\n')
    expect(text).toContain('clickhouse.password is not text (line 3)')
    expect(text).toContain('"http://***@host:8123"')
    expect(text).not.toContain('hunter2')
    expect(faults('clickhouse:\n  password: "hunter2\n').join()).not.toContain('hunter2')
  })
})

describe('PEM files', () => {
  const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
  const tls = (ca: string) => `clickhouse:\n  url: https://ch:8443\n  tls:\n    ca: ${ca}\n`

  test('a path is replaced by the content of its file', () => {
    expect(load(tls(temporaryFile(PEM, 'ca.pem'))).clickhouse.tls).toEqual({ ca: PEM, rejectUnauthorized: true })
  })

  test('inline PEM is taken as it is', () => {
    expect(load(tls(JSON.stringify(PEM))).clickhouse.tls?.ca).toBe(PEM)
  })

  test('a file that is absent or no PEM is a fault with its key and line', () => {
    expect(faults(tls('/no/ca.pem'))[0]).toContain('clickhouse.tls.ca names a file that does not exist, got "/no/ca.pem" (line 4)')
    expect(faults(tls(temporaryFile('hello', 'ca.pem')))[0]).toContain('clickhouse.tls.ca names a file that holds no PEM')
  })
})
