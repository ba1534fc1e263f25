/** Rules between keys. Each names the keys it reads; it is not asked when one of them is at fault already. */
import { LIMITS } from './limits.ts'
import type { Config } from './schema.ts'
import { formatDuration } from './units.ts'

/** A rule that doesn't hold, and the key to mend. */
export interface Breach {
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly remedy: string
}

interface Rule {
  readonly keys: readonly string[]
  readonly check: (config: Config) => Breach | undefined
}

/** All breaches of a configuration, except of rules that read one of the keys at `faulty` (dotted paths). */
export function breaches(config: Config, faulty: readonly string[]): Breach[] {
  const found: Breach[] = []
  for (const rule of RULES) {
    if (rule.keys.some((key) => faulty.some((fault) => overlaps(fault, key)))) continue
    const breach = rule.check(config)
    if (breach !== undefined) found.push(breach)
  }
  return found
}

function overlaps(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}.`) || a.startsWith(`${b}[`) || b.startsWith(`${a}.`)
}

const wantsSasl = (config: Config) => config.kafka.security.protocol.startsWith('SASL_')
const wantsTls = (config: Config) => config.kafka.security.protocol.endsWith('SSL')

const RULES: readonly Rule[] = [
  {
    keys: ['kafka.topics'],
    check: ({ kafka }) => {
      const names = kafka.topics.map((topic) => topic.name)
      const index = names.findIndex((name, i) => names.indexOf(name) !== i)
      if (index < 0) return undefined
      return { path: ['kafka', 'topics', index, 'name'], message: 'is listed twice', remedy: 'remove one of the two' }
    },
  },
  {
    keys: ['kafka.topics', 'deadLetter.topic', 'deadLetter.file'],
    check: ({ kafka, deadLetter }) => {
      if (deadLetter.topic === undefined || !kafka.topics.some((topic) => topic.name === deadLetter.topic)) return undefined
      const message = 'is an input topic too: rejected events would be read and rejected for ever'
      return { path: ['deadLetter', 'topic'], message, remedy: 'use another topic' }
    },
  },
  {
    keys: ['kafka.startFrom', 'kafka.startTimestamp'],
    check: ({ kafka }) => {
      if (kafka.startFrom === 'timestamp' && kafka.startTimestamp === undefined) {
        const remedy = 'set it to a time such as 2025-01-31T12:00:00Z'
        return { path: ['kafka', 'startTimestamp'], message: 'is missing, but kafka.startFrom is timestamp', remedy }
      }
      if (kafka.startFrom !== 'timestamp' && kafka.startTimestamp !== undefined) {
        const message = `has no effect when kafka.startFrom is ${kafka.startFrom}`
        return { path: ['kafka', 'startTimestamp'], message, remedy: 'set kafka.startFrom to timestamp, or remove it' }
      }
      return undefined
    },
  },
  {
    keys: ['kafka.maxWait', 'kafka.requestTimeout'],
    check: ({ kafka }) => {
      if (kafka.requestTimeout > kafka.maxWait) return undefined
      const message = `must be longer than kafka.maxWait (${formatDuration(kafka.maxWait)}), or every quiet fetch times out`
      return { path: ['kafka', 'requestTimeout'], message, remedy: 'raise it or lower kafka.maxWait' }
    },
  },
  {
    keys: ['kafka.security.protocol', 'kafka.security.sasl'],
    check: (config) => {
      const { protocol, sasl } = config.kafka.security
      if (wantsSasl(config) && sasl === undefined) {
        const remedy = 'give it mechanism, username and password'
        return { path: ['kafka', 'security', 'sasl'], message: `is missing, but kafka.security.protocol is ${protocol}`, remedy }
      }
      if (wantsSasl(config) || sasl === undefined) return undefined
      const remedy = `set kafka.security.protocol to ${protocol === 'SSL' ? 'SASL_SSL' : 'SASL_PLAINTEXT or SASL_SSL'}, or remove it`
      return { path: ['kafka', 'security', 'sasl'], message: `has no effect when kafka.security.protocol is ${protocol}`, remedy }
    },
  },
  {
    keys: ['kafka.security.protocol', 'kafka.security.ssl'],
    check: (config) => {
      const { protocol, ssl } = config.kafka.security
      if (wantsTls(config) || ssl === undefined) return undefined
      const remedy = `set kafka.security.protocol to ${protocol === 'PLAINTEXT' ? 'SSL' : 'SASL_SSL'}, or remove it`
      return { path: ['kafka', 'security', 'ssl'], message: `has no effect when kafka.security.protocol is ${protocol}`, remedy }
    },
  },
  {
    keys: ['kafka.security.ssl'],
    check: ({ kafka }) => keyPair(kafka.security.ssl, ['kafka', 'security', 'ssl']),
  },
  {
    keys: ['clickhouse.tls'],
    check: ({ clickhouse }) => keyPair(clickhouse.tls, ['clickhouse', 'tls']),
  },
  {
    keys: ['clickhouse.url', 'clickhouse.embedded'],
    check: ({ clickhouse }) => {
      if (clickhouse.url === undefined || clickhouse.embedded === undefined) return undefined
      const message = 'and clickhouse.url exclude each other'
      return { path: ['clickhouse', 'embedded'], message, remedy: "keep url for a server, embedded for one inside this process's reach" }
    },
  },
  {
    keys: ['clickhouse.url', 'clickhouse.tls'],
    check: ({ clickhouse }) => {
      if (clickhouse.tls === undefined || clickhouse.url?.startsWith('https:')) return undefined
      const message = `has no effect: ${clickhouse.url === undefined ? 'there is no clickhouse.url' : 'clickhouse.url is not https'}`
      return { path: ['clickhouse', 'tls'], message, remedy: 'use an https:// url, or remove it' }
    },
  },
  {
    keys: ['deadLetter.topic', 'deadLetter.file'],
    check: ({ deadLetter }) => {
      if (deadLetter.topic === undefined || deadLetter.file === undefined) return undefined
      return { path: ['deadLetter', 'file'], message: 'and deadLetter.topic exclude each other', remedy: 'remove one of the two' }
    },
  },
  {
    keys: ['checkpoint.s3'],
    check: ({ checkpoint: { s3 } }) => {
      if ((s3.accessKeyId === undefined) === (s3.secretAccessKey === undefined)) return undefined
      const [given, absent] = s3.accessKeyId === undefined ? ['secretAccessKey', 'accessKeyId'] : ['accessKeyId', 'secretAccessKey']
      const remedy = "give both, or neither for the AWS SDK's credentials chain"
      return { path: ['checkpoint', 's3', absent], message: `is missing, but ${given} is given`, remedy }
    },
  },
  {
    keys: ['time.maxDrift', 'window.size'],
    check: ({ time, window }) => {
      if (time.maxDrift >= window.size) return undefined
      const message = `must not be shorter than window.size (${formatDuration(window.size)})`
      return { path: ['time', 'maxDrift'], message, remedy: `write at least ${formatDuration(window.size)}` }
    },
  },
  {
    keys: ['time.maxDrift', 'time.outOfOrderness', 'time.allowedLateness', 'window.size'],
    check: ({ time, window }) => {
      const open = Math.ceil((time.maxDrift + time.outOfOrderness + time.allowedLateness) / window.size)
      if (open <= LIMITS.openWindowsMax) return undefined
      const message = `is too short: time.maxDrift, time.outOfOrderness and time.allowedLateness keep ${open} windows of a task open`
      return { path: ['window', 'size'], message, remedy: `lengthen it or shorten those, to ${LIMITS.openWindowsMax} windows at most` }
    },
  },
]

function keyPair(tls: { cert?: string | undefined; key?: string | undefined } | undefined, path: readonly string[]): Breach | undefined {
  if (tls === undefined || (tls.cert === undefined) === (tls.key === undefined)) return undefined
  const [given, absent] = tls.cert === undefined ? ['key', 'cert'] : ['cert', 'key']
  return { path: [...path, absent], message: `is missing, but ${given} is given`, remedy: 'a client certificate needs both' }
}
