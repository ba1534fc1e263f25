/** Rules between keys. Each names the keys it reads; it is not asked when one of them is at fault already. */
import { isTimeZone } from './calendar.ts'
import { EVENTS_RULES } from './events-rules.ts'
import { LIMITS } from './limits.ts'
import { PRIVACY_RULES } from './privacy-rules.ts'
import { REGISTRY_RULES } from './registry-rules.ts'
import { type Breach, type ConfigRule, keyPair, listedTwice } from './rule.ts'
import type { Config } from './schema.ts'
import { commonDivisor, DAY, formatDuration, HOUR } from './units.ts'

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

const RULES: readonly ConfigRule[] = [
  {
    keys: ['kafka.topics'],
    check: ({ kafka }) => {
      const names = kafka.topics.map((topic) => topic.name)
      const index = names.findIndex((name, i) => names.indexOf(name) !== i)
      if (index < 0) return undefined
      return { path: ['kafka', 'topics', index, 'name'], message: 'is listed twice', remedy: 'remove one of the two' }
    },
  },
  ...EVENTS_RULES,
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
      if (clickhouse.tls === undefined || clickhouse.url?.every((url) => url.startsWith('https:'))) return undefined
      const message = `has no effect: ${clickhouse.url === undefined ? 'there is no clickhouse.url' : 'clickhouse.url is not https'}`
      return { path: ['clickhouse', 'tls'], message, remedy: 'use an https:// url, or remove it' }
    },
  },
  {
    keys: ['clickhouse.url', 'clickhouse.cluster', 'clickhouse.singleServer'],
    check: ({ clickhouse }) => {
      const { url, cluster, singleServer } = clickhouse
      const remedy = 'remove one of the two'
      if (cluster !== undefined && singleServer) {
        return { path: ['clickhouse', 'singleServer'], message: 'and clickhouse.cluster exclude each other', remedy }
      }
      const key = cluster !== undefined ? 'cluster' : singleServer ? 'singleServer' : undefined
      if (url !== undefined || key === undefined) return undefined
      const message = 'is about servers, and without clickhouse.url ClickHouse runs embedded'
      return { path: ['clickhouse', key], message, remedy: 'give the address of a server with clickhouse.url, or remove it' }
    },
  },
  {
    keys: ['clickhouse.url'],
    check: ({ clickhouse }) => {
      const index = listedTwice(clickhouse.url)
      if (index < 0) return undefined
      return { path: ['clickhouse', 'url', index], message: 'is listed twice', remedy: 'remove one of the two' }
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
    keys: ['late.topic', 'late.file'],
    check: ({ late }) => {
      if (late.topic === undefined || late.file === undefined) return undefined
      return { path: ['late', 'file'], message: 'and late.topic exclude each other', remedy: 'remove one of the two' }
    },
  },
  {
    keys: ['kafka.topics', 'late.topic', 'late.file'],
    check: ({ kafka, late }) => {
      if (late.topic === undefined || !kafka.topics.some((topic) => topic.name === late.topic)) return undefined
      const message = 'is an input topic too: late events would be read and be invalid'
      return { path: ['late', 'topic'], message, remedy: 'use another topic' }
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
    keys: ['sink.revision', 'sink.revisionFrom'],
    check: ({ sink }) => {
      if (sink.revision > 0 || sink.revisionFrom === undefined) return undefined
      const message = 'has no effect when sink.revision is 0: there is no revision before'
      return { path: ['sink', 'revisionFrom'], message, remedy: 'raise sink.revision by one, or remove it' }
    },
  },
  {
    keys: ['products.match'],
    check: ({ products: { match } }) => {
      if (match === undefined) return undefined
      const path = ['products', 'match']
      if (Object.keys(match).length === 0) {
        return { path, message: 'says nothing about ids', remedy: 'give it pattern, maxLength or list, or remove it' }
      }
      try {
        new RegExp(match.pattern ?? '', 'u')
        return undefined
      } catch (error) {
        return { path: [...path, 'pattern'], message: `is no regular expression: ${(error as Error).message}`, remedy: 'correct it' }
      }
    },
  },
  {
    keys: ['window', 'time.oldest'],
    check: windowFault,
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
    keys: ['time.maxDrift', 'time.outOfOrderness', 'time.allowedLateness', 'window'],
    check: ({ time, window }) => {
      const { size, slide = size } = window
      const slice = commonDivisor(size, slide)
      const open = Math.ceil((time.maxDrift + time.outOfOrderness + time.allowedLateness + size - slice) / slice)
      if (open <= LIMITS.openWindowsMax) return undefined
      const kept = `time.maxDrift, time.outOfOrderness and time.allowedLateness keep ${open}`
      const [message, remedy] =
        slice === size
          ? [`is too short: ${kept} windows of a task open`, 'lengthen it']
          : [`makes too many slices of ${formatDuration(slice)} with window.slide: ${kept} of a task open`, 'let window.slide divide it']
      return { path: ['window', 'size'], message, remedy: `${remedy} or shorten those, to ${LIMITS.openWindowsMax} at most` }
    },
  },
  {
    keys: ['clickhouse.retention', 'sink.history', 'window', 'time.outOfOrderness', 'time.allowedLateness'],
    check: keptTooShortly,
  },
  ...REGISTRY_RULES,
  ...PRIVACY_RULES,
  {
    keys: ['clickhouse.retention.results', 'clickhouse.retention.recent'],
    check: ({ clickhouse: { retention } }) => {
      if (retention.results >= retention.recent) return undefined
      const recent = formatDuration(retention.recent)
      const message = `must not be shorter than clickhouse.retention.recent (${recent}), whose rows are of windows too`
      return { path: ['clickhouse', 'retention', 'results'], message, remedy: 'lengthen it, or shorten clickhouse.retention.recent' }
    },
  },
]

function windowFault({ window, time }: Config): Breach | undefined {
  const { type, size, slide, offset = 0, unit, zone } = window
  const path = ['window', 'slide']
  if (type !== 'sliding' && slide !== undefined)
    return { path, message: `has no meaning with window.type: ${type}`, remedy: 'set window.type: sliding, or remove it' }
  if (type === 'sliding' && slide === undefined)
    return { path, message: 'is missing, but window.type is sliding', remedy: 'say how often a window begins' }
  if (slide !== undefined && slide > size) {
    const message = `must not be longer than window.size (${formatDuration(size)}), or events between two windows would not be counted`
    return { path, message, remedy: 'shorten it' }
  }
  const each = Math.ceil(size / (slide ?? size))
  if (each > LIMITS.windowsPerEventMax) {
    const message = `is too short: each event would count in ${each} windows, ${LIMITS.windowsPerEventMax} at most`
    return { path, message, remedy: 'lengthen it; or write tumbling windows of its length, and sum them up in SQL (docs/windows.md)' }
  }
  if (type === 'calendar' && unit === undefined)
    return { path: ['window', 'unit'], message: 'is missing, but window.type is calendar', remedy: 'set it to hour, day, week or month' }
  if (type === 'calendar' && offset > 0)
    return {
      path: ['window', 'offset'],
      message: 'has no meaning with window.type: calendar',
      remedy: 'choose a window.zone, or remove it',
    }
  if (!isTimeZone(zone)) return { path: ['window', 'zone'], message: 'is no time zone', remedy: 'write one such as Europe/Berlin' }
  if (offset >= size)
    return { path: ['window', 'offset'], message: 'must be shorter than window.size', remedy: 'leave whole windows out of it' }
  if ((each === 1 && offset === 0 && type !== 'calendar') || time.oldest >= size) return undefined
  const message = `must be ${formatDuration(size)} (window.size) after 1970 or later, or windows would begin before`
  return { path: ['time', 'oldest'], message, remedy: 'set a later one' }
}

/** What an outage may hold up rows, or a roll-up. */
const RETENTION_SLACK_MS = DAY

/**
 * Until a window is final its rows must stay, or what is left of them would be written over what was there; and until a period of a
 * roll-up is final, the level below that it is computed from. Of days, below months, the least that may be written is long enough.
 */
function keptTooShortly({ clickhouse: { retention }, sink, window, time }: Config): Breach | undefined {
  // The last window of a slice may begin almost the length of one behind the first.
  const overlapMs = window.size - (window.slide ?? window.size)
  const correctedMs = window.size + overlapMs + time.outOfOrderness + time.allowedLateness
  const because = 'window.size, time.outOfOrderness and time.allowedLateness let a window change for'
  const levels = [
    ['results', 0, ''],
    ['ledger', 0, ''],
    ['minutely', HOUR, ', and hours are computed from minutes'],
    ['hourly', DAY, ', and days are computed from hours'],
    ...(sink.history ? [['emissions', 0, ''] as const] : []),
  ] as const
  for (const [level, periodMs, above] of levels) {
    const leastMs = correctedMs + periodMs + RETENTION_SLACK_MS
    if (retention[level] >= leastMs) continue
    const message = `is too short: ${because} ${formatDuration(correctedMs)}${above}, and a day is left for outages`
    return { path: ['clickhouse', 'retention', level], message, remedy: `write at least ${formatDuration(leastMs)}, or off` }
  }
  return undefined
}
