/** `ctr init`: from the topics that there are to a configuration that counts them. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { configJsonSchema } from '../config/json-schema.ts'
import { writtenConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import { TopicReader } from '../kafka/topic-reader.ts'
import { createLogger } from '../log.ts'
import { configText, environmentText, namesSchemas } from '../probe/config-text.ts'
import { describeTopic } from '../probe/describe.ts'
import { reportOn, type TopicReport } from '../probe/report.ts'
import { lastRecords } from '../probe/sample.ts'
import { readWritten } from '../probe/written-values.ts'
import { clientOptions } from '../run/clients.ts'
import { registryUrls, schemasToLookAt } from '../run/schemas.ts'
import { formatCount, visible } from '../text.ts'
import { loadWithBrokers } from './brokers.ts'
import type { InitOptions } from './options.ts'

const SCHEMA_FILE = join('.ctr', 'ctr.schema.json')
const ENVIRONMENT_FILE = '.env.example'
/** Without --topic so many topics are looked at; more are for somebody who knows which he means. */
const TOPICS_MAX = 50

/** The secrets of `kafka.security`, and the variables that they are read from. */
const SECRETS = { username: 'KAFKA_USERNAME', password: 'KAFKA_PASSWORD' } as const
const KEY_VARIABLE = 'KAFKA_KEY'

/** Puts a question to whoever sits at the terminal; undefined where nobody does. */
export type AskUser = ((question: string) => Promise<string>) | undefined

/** Runs the verb; gives the exit code. Throws CtrError CTR_USAGE for files that are there, CTR_INPUT when nothing can be counted. */
export async function initVerb(options: InitOptions, terminal: AskUser = terminalOf()): Promise<number> {
  const { output, print = false, force = false } = options
  const sets = loadWithBrokers(options)
  const { config } = sets
  if (!print && !force && existsSync(output)) {
    throw new CtrError(
      'CTR_USAGE',
      `${output} is there already; --force overwrites it, --print shows what would be written, --output names another file`,
    )
  }
  const reports = await lookAtTopics(config, options)
  const ask = print || options.yes === true ? undefined : terminal
  for (const report of reports)
    say(`${(options.topic !== undefined || report.looksCountable ? describeTopic(report) : [inShort(report)]).join('\n')}\n`)
  const chosen = await choose(reports, options, ask)
  const written = writtenConfig({ file: options.config, sets: sets.sets }).config
  const { security, secrets } = securityOf(written)
  const registry = namesSchemas(chosen) ? registryAsWritten(written) : undefined
  const schema = `./${SCHEMA_FILE.replaceAll('\\', '/')}`
  const today = new Date().toISOString().slice(0, 10)
  const brokers = config.kafka.brokers.join(',')
  if (written.privacy.payload !== 'full') say('privacy is not taken over into what is written: add it again\n')
  const text = configText({ reports: chosen, brokers, security, registry: registry?.section, schema, today })
  if (print) {
    process.stdout.write(text)
    return 0
  }
  if (ask !== undefined && !isYes(await ask(`Write ${output}, with ${chosen.map(({ topic }) => topic).join(' and ')}? [Y/n] `))) {
    say('nothing is written\n')
    return 0
  }
  writeFiles({ output, text, environment: environmentText(brokers, secrets, registry), force })
  process.stdout.write(`${nextSteps(output, options.sample).join('\n')}\n`)
  return 0
}

/** Reports go to stderr, so that --print can be piped into a file; nothing of the topics' own can turn the terminal. */
function say(text: string): void {
  process.stderr.write(visible(text))
}

/** A topic that is not taken, and why. */
function inShort({ topic, records, warnings }: TopicReport): string {
  return `${topic}: ${formatCount(records)} records looked at, not taken: ${warnings[0] ?? 'nothing of it is counted'}`
}

async function lookAtTopics(config: Config, { topic, sample }: InitOptions): Promise<TopicReport[]> {
  const log = createLogger({ ...config.log, level: 'silent' })
  const { maxBatchBytes } = config.kafka
  const reader = new TopicReader(clientOptions(config, log), maxBatchBytes)
  const schemas = schemasToLookAt(config, log)
  try {
    await reader.connect()
    const topics = topic ?? (await reader.topics()).filter((name) => name !== config.deadLetter.topic && name !== config.late.topic)
    const brokers = config.kafka.brokers.join(', ')
    if (topics.length === 0)
      throw new CtrError('CTR_INPUT', `there is no topic at ${brokers}; ctr load --brokers ${brokers} makes some to try with`)
    if (topics.length > TOPICS_MAX) say(`there are ${topics.length} topics; the first ${TOPICS_MAX} are looked at, --topic names others\n`)
    const reports: TopicReport[] = []
    for (const name of topics.slice(0, TOPICS_MAX)) {
      const looked = await lastRecords(reader, name, sample, maxBatchBytes)
      const { reading, trouble } = await readWritten(looked.records, schemas)
      if (trouble !== undefined) say(`${name}: ${trouble}; --schema-registry says where the schemas are\n`)
      reports.push(reportOn(looked, reading))
    }
    return reports
  } finally {
    await Promise.all([reader.close(), schemas.close()])
  }
}

/** Which topics are taken: those that were named, or that look countable; of these somebody on a terminal chooses. */
async function choose(reports: readonly TopicReport[], { topic }: InitOptions, ask: AskUser): Promise<TopicReport[]> {
  if (topic !== undefined) {
    const useless = reports.filter(({ counted, records }) => counted === 0 && records > 0)
    if (useless.length > 0) {
      const why = useless.map(({ topic: name, warnings }) => `${name}: ${warnings[0] ?? 'all of it is of types that are not counted'}`)
      throw new CtrError('CTR_INPUT', `nothing of it can be counted: ${why.join('; ')}`)
    }
    return [...reports]
  }
  const countable = reports.filter(({ looksCountable }) => looksCountable)
  if (countable.length === 0) {
    const remedy = 'what is said of each above tells why; --topic takes one all the same'
    throw new CtrError(
      'CTR_INPUT',
      `none of ${reports.map(({ topic: name }) => name).join(', ')} looks like impressions or clicks; ${remedy}`,
    )
  }
  if (ask === undefined || reports.length === 1) return countable
  const names = countable.map(({ topic: name }) => name).join(' ')
  const answer = await ask(`Which topics? [${names}] `)
  if (answer === '') return countable
  const wanted = answer.split(/[\s,]+/)
  const unknown = wanted.filter((name) => !reports.some(({ topic: own }) => own === name))
  if (unknown.length > 0) throw new CtrError('CTR_USAGE', `no topic ${unknown.join(', ')}`)
  return reports.filter(({ topic: name }) => wanted.includes(name))
}

function terminalOf(): AskUser {
  if (process.stdin.isTTY !== true || process.stdout.isTTY !== true) return undefined
  return async (question) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr })
    try {
      return (await lines.question(visible(question))).trim()
    } finally {
      lines.close()
    }
  }
}

function isYes(answer: string): boolean {
  return /^(?:y(?:es)?)?$/i.test(answer)
}

/** `kafka.security` as it is to be written: what is secret becomes a variable. */
function securityOf({ kafka }: Config): { readonly security: object | undefined; readonly secrets: readonly string[] } {
  const { protocol, sasl, ssl } = kafka.security
  if (protocol === 'PLAINTEXT') return { security: undefined, secrets: [] }
  const variable = (name: string) => `\${${name}}`
  const login = sasl && { sasl: { mechanism: sasl.mechanism, username: variable(SECRETS.username), password: variable(SECRETS.password) } }
  const key = ssl?.key === undefined ? undefined : variable(KEY_VARIABLE)
  const tls = ssl && { ssl: Object.fromEntries(Object.entries({ ...ssl, key }).filter(([, value]) => value !== undefined)) }
  const secrets = [...(sasl === undefined ? [] : Object.values(SECRETS)), ...(key === undefined ? [] : [KEY_VARIABLE])]
  return { security: { protocol, ...login, ...tls }, secrets }
}

/** `schemaRegistry` as it is to be written: what is secret becomes a variable. */
function registryAsWritten(config: Config) {
  const { auth = {}, tls = {} } = config.schemaRegistry
  const given = (part: object) => Object.entries(part).filter(([, value]) => value !== undefined)
  const variable = (key: string) => `SCHEMA_REGISTRY_${key.toUpperCase()}`
  const secrets = [...given(auth), ...given(tls).filter(([key]) => key === 'key')].map(([key]) => variable(key))
  const hidden = (part: object) => {
    const shown = given(part).map(([key, value]) => [key, secrets.includes(variable(key)) ? `\${${variable(key)}}` : value])
    return shown.length === 0 ? undefined : Object.fromEntries(shown)
  }
  const url = registryUrls(config).join(',')
  return { section: { url, auth: hidden(auth), tls: hidden(tls) }, url, secrets }
}

interface Written {
  readonly output: string
  readonly text: string
  readonly environment: string
  readonly force: boolean
}

function writeFiles({ output, text, environment, force }: Written): void {
  const folder = dirname(output)
  mkdirSync(join(folder, dirname(SCHEMA_FILE)), { recursive: true })
  write(join(folder, SCHEMA_FILE), `${JSON.stringify(configJsonSchema(), null, 2)}\n`, true)
  write(output, text, force)
  const variables = join(folder, ENVIRONMENT_FILE)
  if (force || !existsSync(variables)) write(variables, environment, true)
  else say(`${variables} is there already and stays as it is\n`)
}

function write(path: string, text: string, force: boolean): void {
  try {
    writeFileSync(path, text, { flag: force ? 'w' : 'wx' })
  } catch (cause) {
    throw new CtrError('CTR_USAGE', `${path} can't be written: ${(cause as Error).message}`, { cause })
  }
}

function nextSteps(output: string, sample: number): string[] {
  const config = basename(output) === 'ctr.yaml' && dirname(output) === '.' ? '' : ` ${output}`
  const option = config === '' ? '' : ` --config${config}`
  return [
    `${output} and ${join(dirname(output), ENVIRONMENT_FILE)} are written. Next:`,
    `  npx ctr config check${config} --sample ${sample}      # what becomes of the last records with it`,
    `  npx ctr run${config} --until-end           # count all that is there, and end`,
    `  npx ctr query${option} "SELECT * FROM ctr_latest ORDER BY impressions DESC LIMIT 10"`,
  ]
}
