/** `ctr run` as a process of its own on the stand, configured as by default but for the addresses and what `sets` say. */
import { join } from 'node:path'
import type { Checkout } from './checkout.ts'
import { type Child, startChild } from './child.ts'
import { type LogLine, readLog } from './log-line.ts'
import type { Stand } from './stand.ts'

export interface EngineOptions {
  /** Whose engine it is, when it is not the one here. */
  readonly checkout?: Checkout
  readonly topics: readonly string[]
  readonly groupId: string
  readonly database: string
  readonly untilEnd?: boolean
  /** A savepoint to begin at. */
  readonly from?: string
  /** More `key=value`. */
  readonly sets?: readonly string[]
  /** A dead-letter topic; a file in the stand's folder when absent. */
  readonly deadLetterTopic?: string
  /** Another way to the stand's ClickHouse, such as a proxy; its URL. */
  readonly clickhouseUrl?: string
  /** Options of Node for its process, and a command that runs it. */
  readonly execArgv?: readonly string[]
  readonly under?: readonly string[]
  /** Gets every line of its log. */
  readonly onLog?: (line: LogLine) => void
}

/** When the pipeline said so, ms since the epoch. */
export interface Milestones {
  readonly running: number | undefined
  readonly draining: number | undefined
}

export interface Engine extends Child {
  readonly milestones: Milestones
  /** Resolves when it consumes, or has ended without. */
  readonly consuming: Promise<void>
}

/** How an engine on the stand is configured, as words of the command line: of `run`, and of verbs that ask about it. */
export function engineSets(stand: Stand, options: EngineOptions): string[] {
  return [
    `kafka.brokers=${stand.brokers.join()}`,
    `kafka.topics=${options.topics.join()}`,
    `kafka.groupId=${options.groupId}`,
    ...clickhouseSets(stand, options.clickhouseUrl),
    `clickhouse.database=${options.database}`,
    `checkpoint.storage=${join(stand.folder, 'checkpoints')}`,
    'http.port=0',
    'log.level=info',
    options.deadLetterTopic === undefined
      ? `deadLetter.file=${join(stand.folder, `${options.groupId}.letters`)}`
      : `deadLetter.topic=${options.deadLetterTopic}`,
    ...(options.sets ?? []),
  ].flatMap((set) => ['--set', set])
}

/** Starts the engine. It attaches to the stand's ClickHouse, which goes on when it ends. */
export function startEngine(stand: Stand, options: EngineOptions): Engine {
  const times = new Map<string, number>()
  let live = () => {}
  const consuming = new Promise<void>((resolve) => {
    live = resolve
  })
  const start = [...(options.untilEnd === true ? ['--until-end'] : []), ...(options.from === undefined ? [] : ['--from', options.from])]
  const args = ['run', ...start, ...engineSets(stand, options)]
  const { checkout } = options
  const child = startChild(join(checkout?.folder ?? '', 'bin/ctr.js'), args, {
    folder: stand.folder,
    ...(checkout === undefined ? {} : { node: checkout.node }),
    execArgv: options.execArgv ?? [],
    under: options.under ?? [],
    onErrorLine: (line) => {
      const log = readLog(line)
      if (log === undefined) return
      options.onLog?.(log)
      const { state, time } = log
      if (state !== undefined && time !== undefined) times.set(state, new Date(time).getTime())
      if (state === 'running') live()
    },
  })
  child.process.once('exit', live)
  const milestones: Milestones = {
    get running() {
      return times.get('running')
    },
    get draining() {
      return times.get('draining')
    },
  }
  return Object.assign(child, { milestones, consuming })
}

function clickhouseSets({ clickhouse }: Stand, url: string | undefined): string[] {
  if (url === undefined) return [`clickhouse.embedded=${clickhouse.directory}`]
  const { username, password } = clickhouse.endpoint
  return [`clickhouse.url=${url}`, `clickhouse.username=${username}`, `clickhouse.password=${password}`]
}
