/**
 * The ground that a self-test stands on: topics, a group, a database and a folder of its own, under names that nothing else has, made at
 * its start and taken away at its end, however that comes.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, explainClickHouse } from '../clickhouse/connect.ts'
import { frontEndpoint, openEndpoint } from '../clickhouse/endpoint.ts'
import { identifier } from '../clickhouse/front-sql.ts'
import { settingsFor, type WantedSettings } from '../clickhouse/settings.ts'
import { sleep } from '../clock.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { clientOptions } from '../run/clients.ts'
import { openStore } from '../store/open-store.ts'
import { connectBroker, type SelftestBroker } from './broker.ts'

const PREFIX = 'ctr-selftest-'

/** Short windows and quick checkpoints, so that much happens in little time; `--set` overrides them. */
const QUICK = [
  'window.size=5s',
  'time.outOfOrderness=2s',
  'time.allowedLateness=2s',
  'kafka.sessionTimeout=10s',
  'checkpoint.interval=2s',
  'restart.delay=1s',
]

const FRONT_MAX_MS = 15_000
const POLL_MS = 100

export interface StandOptions {
  readonly file: string | undefined
  readonly sets: readonly string[]
  /** Eight characters that make the names its own. */
  readonly id: string
  readonly partitions: number
  readonly log: Logger
}

export interface Stand {
  readonly name: string
  readonly topics: readonly [string, string]
  /** Of the pipelines. */
  readonly group: string
  readonly config: Config
  readonly broker: SelftestBroker
  /** Asks the database of the test, once a pipeline has made it; `{tenant:String}` is its tenant. */
  rows<T>(sql: string): AsyncIterable<T>
  /** What a pipeline's command line must say after `run`. */
  words(pod: number): string[]
  /** `topic/partition/offset` of every dead letter, and how many are of rows that ClickHouse refused. */
  letters(signal: AbortSignal): Promise<{ readonly records: ReadonlySet<string>; readonly rows: number }>
  /** Takes everything away again; tells what could not be, with the reason. */
  close(): Promise<string[]>
}

/** Makes it. Refuses with CTR_USAGE when a name is taken; a failure leaves nothing behind. */
export async function prepareStand(options: StandOptions): Promise<Stand> {
  const undo: Undo[] = []
  try {
    return await prepare(options, undo)
  } catch (error) {
    for (const left of await undoAll(undo)) options.log.error({}, left)
    throw error
  }
}

interface Undo {
  readonly what: string
  readonly act: () => Promise<unknown>
}

async function undoAll(undo: Undo[]): Promise<string[]> {
  const left: string[] = []
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
    const { what } = step
    await step.act().catch((error: unknown) => left.push(`${what}: ${error instanceof Error ? error.message : String(error)}`))
  }
  return left
}

async function prepare({ file, sets, id, partitions, log }: StandOptions, undo: Undo[]): Promise<Stand> {
  const name = `${PREFIX}${id}`
  const folder = await mkdtemp(join(tmpdir(), `${name}-`))
  undo.push({ what: `folder ${folder}`, act: () => rm(folder, { recursive: true, force: true }) })
  const quick = quickSets(loadConfig({ file, sets }))
  const theirs = loadConfig({ file, sets: [...quick, ...sets] })
  const own = ownSets(theirs, name, folder)
  const config = loadConfig({ file, sets: [...quick, ...sets, ...own] })
  const topics = [`${name}-impressions`, `${name}-clicks`] as const
  const lettersTopic = theirs.deadLetter.topic === undefined ? [] : [`${name}-dead-letters`]
  const groups = [name, `${name}-read-back`, `${name}-letters`]

  const broker = await connectBroker(clientOptions(config, log), PREFIX)
  undo.push({ what: 'the connection to the brokers', act: () => broker.close() })
  const taken = await broker.taken([...topics, ...lettersTopic], groups)
  if (taken.length > 0) throw new CtrError('CTR_USAGE', `${taken.join(', ')}: there already; a self-test writes to nothing it has not made`)
  const rows = await openDatabase(config, folder, log, undo)

  undo.push({ what: `topics ${name}-*`, act: () => broker.deleteTopics([...topics, ...lettersTopic]) })
  await broker.createTopics([...topics.map((topic) => ({ topic, partitions })), ...lettersTopic.map((topic) => ({ topic, partitions: 1 }))])
  undo.push(...groups.map((group) => ({ what: `group ${group}`, act: () => broker.deleteGroup(group, config.kafka.sessionTimeout) })))
  undo.push({ what: `checkpoints in ${config.checkpoint.storage}`, act: () => clearStore(config) })
  return {
    name,
    topics,
    group: name,
    config,
    broker,
    rows,
    words: (pod) => {
      const letters = lettersTopic.length > 0 ? [] : [`deadLetter.file=${join(folder, `letters-${pod}.jsonl`)}`]
      const all = [...quick, ...sets, ...own, ...letters]
      return [...(file === undefined ? [] : ['--config', file]), ...all.flatMap((set) => ['--set', set])]
    },
    letters: (signal) => (lettersTopic.length > 0 ? lettersOfTopic(broker, name, lettersTopic, signal) : lettersOfFolder(folder)),
    close: () => undoAll(undo),
  }
}

/** Windows as short as they are quick, of the kind that the configuration has. */
function quickSets({ window: { type, slide, offset } }: Config): string[] {
  // Nobody waits for a day: that windows of the calendar lie where they should is no matter of an installation.
  const kind = type === 'calendar' ? ['window.type=tumbling'] : []
  return [...QUICK, ...kind, ...(slide === undefined ? [] : ['window.slide=2s']), ...(offset === undefined ? [] : ['window.offset=1s'])]
}

/** What is the test's own, whatever the configuration says. */
function ownSets({ checkpoint, clickhouse, deadLetter }: Config, name: string, folder: string): string[] {
  const { storage } = checkpoint
  // Where there is an embedded ClickHouse, its directory is put to the test; where there is none, none is left behind.
  const embedded = clickhouse.url === undefined ? clickhouse.embedded : undefined
  const ownPlace = storage.startsWith('s3://') ? `${storage.replace(/\/$/, '')}/${name}` : join(folder, 'checkpoints')
  return [
    `kafka.topics=${JSON.stringify([`${name}-impressions`, `${name}-clicks`])}`,
    `kafka.groupId=${name}`,
    // Its load writes events as they are read by default.
    'events={}',
    'kafka.startFrom=committed',
    `clickhouse.database=${name.replaceAll('-', '_')}`,
    'clickhouse.applySchema=true',
    // It judges windows. A killed process would keep the last one waiting for its lease.
    'clickhouse.rollUps.interval=off',
    deadLetter.topic === undefined ? `deadLetter.file=${join(folder, 'letters.jsonl')}` : `deadLetter.topic=${name}-dead-letters`,
    'deadLetter.perReason=unlimited',
    `checkpoint.storage=${storage === 'none' ? 'none' : ownPlace}`,
    ...(embedded === undefined || existsSync(embedded) ? [] : [`clickhouse.embedded=${join(folder, 'clickhouse')}`]),
    // The oracle knows no idle partitions.
    'time.idleTimeout=1d',
    'http.host=127.0.0.1',
    'http.port=0',
    'log.level=info',
    'log.pretty=false',
  ]
}

const NUMBERS: WantedSettings = {
  output_format_json_quote_64bit_integers: { value: 0, needed: 'else counts come as texts' },
}

async function openDatabase(config: Config, folder: string, log: Logger, undo: Undo[]): Promise<Stand['rows']> {
  const { endpoint, front } = await openEndpoint(config.clickhouse, log, (address) => {
    const moved = { ...endpoint, ...frontEndpoint(address) }
    void Promise.all([server.close(), client.close()])
    server = connect(moved, undefined)
    client = connect(moved, database)
  })
  const { database } = endpoint
  let server = connect(endpoint, undefined)
  const disconnect = async () => {
    await server.close()
    front?.close()
    if (front !== undefined && config.clickhouse.embedded?.startsWith(folder)) await gone(front.pid)
  }
  undo.push({ what: 'the connection to ClickHouse', act: disconnect })
  let client = connect(endpoint, database)
  undo.push({ what: 'the connection to ClickHouse', act: () => client.close() })
  try {
    const query = 'SELECT count() AS found FROM system.databases WHERE name = {database:String}'
    const answer = await server.query({ query, query_params: { database }, format: 'JSONEachRow' })
    const [row] = await answer.json<{ found: string | number }>()
    if (Number(row?.found) > 0) throw new CtrError('CTR_USAGE', `clickhouse.database: there is a database ${database} already`)
  } catch (error) {
    throw explainClickHouse(error, endpoint)
  }
  const drop = async () => {
    const everywhere = endpoint.cluster === undefined ? '' : ` ON CLUSTER ${identifier(endpoint.cluster)}`
    await server.command({ query: `DROP DATABASE IF EXISTS ${identifier(database)}${everywhere} SYNC` }).catch((error: unknown) => {
      throw explainClickHouse(error, endpoint)
    })
  }
  undo.push({ what: `database ${database}`, act: drop })
  return async function* <T>(query: string) {
    try {
      const { settings } = await settingsFor(client, NUMBERS)
      const answer = await client.query({
        query,
        query_params: { tenant: config.tenant },
        format: 'JSONEachRow',
        clickhouse_settings: settings,
      })
      for await (const rows of answer.stream<T>()) for (const row of rows) yield row.json() as T
    } catch (error) {
      throw explainClickHouse(error, endpoint)
    }
  }
}

/** The embedded ClickHouse leaves by itself when nobody uses it any more, and before that its directory can't be removed. */
async function gone(pid: number): Promise<void> {
  for (let waited = 0; waited < FRONT_MAX_MS; waited += POLL_MS) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await sleep(POLL_MS)
  }
}

/** Those in the folder go with it. */
async function clearStore({ checkpoint }: Config): Promise<void> {
  if (!checkpoint.storage.startsWith('s3://')) return
  const store = await openStore(checkpoint)
  if (store === undefined) return
  try {
    await store.remove((await store.list('')).map(({ key }) => key))
  } finally {
    await store.close()
  }
}

interface PlainLetter {
  readonly rawTopic: string
  readonly partition: number
  readonly offset: number
}

async function lettersOfTopic(broker: SelftestBroker, name: string, topics: readonly string[], signal: AbortSignal) {
  const lines: string[] = []
  await broker.readBack(`${name}-letters`, topics, ({ value }) => lines.push(Buffer.from(value ?? []).toString()), signal)
  return sorted(lines)
}

async function lettersOfFolder(folder: string) {
  const files = (await readdir(folder)).filter((file) => file.startsWith('letters-'))
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))
  return sorted(texts.flatMap((text) => text.split('\n').filter((line) => line !== '')))
}

function sorted(lines: readonly string[]): { records: ReadonlySet<string>; rows: number } {
  const letters = lines.map((line) => JSON.parse(line) as PlainLetter)
  const records = letters.filter(({ rawTopic }) => rawTopic !== '')
  return {
    records: new Set(records.map(({ rawTopic, partition, offset }) => `${rawTopic}/${partition}/${offset}`)),
    rows: letters.length - records.length,
  }
}
