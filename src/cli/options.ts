/** What the command line hands to the verbs. */

import type { CodecName } from '../batch/codec.ts'
import type { StartWish } from '../checkpoint/decide.ts'
import type { Reset } from '../kafka/start-position.ts'
import type { LoadFormat } from '../load/event-formats.ts'
import type { EventShape, LoadEnvelope } from '../load/event-shape.ts'
import type { From } from '../probe/sample.ts'
import type { TestOptions } from '../selftest/run.ts'
import type { Role } from '../tables/grants.ts'
import type { ViewWish } from './attached.ts'
import type { EndingLimits } from './ending.ts'

/** Options that every verb with a configuration takes. */
export interface ConfigOptions {
  /** Path of the YAML file. */
  readonly config?: string
  /** `key=value` texts that override it. */
  readonly set: readonly string[]
}

/** `ctr run`. */
export interface RunOptions extends ConfigOptions, ViewWish {
  /** Read up to the end offsets found at the start, emit every window, and end. */
  readonly untilEnd: boolean
  /** What to start from. */
  readonly wish: StartWish
  /** With untilEnd: beyond which shares the run has failed. */
  readonly limits: EndingLimits
  /** Where to begin instead. */
  readonly reset?: Reset | undefined
}

/** `ctr replay`. */
export interface ReplayOptions extends ConfigOptions, EndingLimits, ViewWish {
  /** The names of the files; their base names when absent. */
  readonly input?: readonly string[]
  /** Count what is counted under another name already. */
  readonly add?: boolean
  /** Files are tables with a head of names. */
  readonly csv?: boolean
  /** What separates cells; what the head has most of when absent. */
  readonly separator?: string
  /** Read the lines of a file in order of their event times. */
  readonly sort?: boolean
  /** Serve the page, and keep it after the end. */
  readonly ui?: boolean
  /** Of versions in which it had a meaning. */
  readonly partitions?: number
}

/** `ctr demo`. */
export interface DemoOptions extends ConfigOptions {
  /** Events per second. */
  readonly rate: number
  readonly products: number
  /** ms; without it until Ctrl-C. */
  readonly duration?: number
}

/** `ctr ui`. */
export interface UiOptions extends ConfigOptions {
  /** Of the pipeline; http.host and http.port when absent. */
  readonly url?: string
  /** Open nothing. */
  readonly print?: boolean
}

/** `ctr top`. */
export interface TopOptions extends ConfigOptions {
  /** Of the pipeline; http.host and http.port when absent. */
  readonly url?: string
  readonly token?: string
  /** One line. */
  readonly once?: boolean
}

/** `ctr query`. */
export interface QueryOptions extends ConfigOptions {
  /** Any of ClickHouse's formats; a readable table when absent. */
  readonly format?: string
  /** Of the statements; - is stdin. */
  readonly file?: string
  /** Statements may change something. */
  readonly write?: boolean
  /** What `ctr demo` writes to. */
  readonly demo?: boolean
  /** ms. */
  readonly timeout?: number
}

/** `ctr schema`. */
export interface SchemaOptions extends ConfigOptions {
  /** Of plan and diff. */
  readonly format?: 'text' | 'json'
  /** Of grants: whose; all when absent. */
  readonly for?: Role
  /** Of grants: to whom; clickhouse.username when absent. */
  readonly user?: string
  /** Of switch: the database of the views that people read; LIVE_DEFAULT when absent. */
  readonly live?: string
  /** Of switch: which database they read from now on. */
  readonly to?: string
  /** Of switch: the one before. */
  readonly back?: boolean
  /** Of switch: only the one that is read now. */
  readonly settle?: boolean
}

/** `ctr compare`. */
export interface CompareOptions extends ConfigOptions {
  /** A file of a configuration, or the name of a database. */
  readonly a: string
  readonly b: string
  /** ms since the epoch. */
  readonly from?: number
  readonly to?: number
  readonly json?: boolean
}

/** `ctr checkpoint` and `ctr savepoint`. */
export interface CheckpointOptions extends ConfigOptions, ViewWish {
  readonly json?: boolean
  /** Only savepoints. */
  readonly savepoints?: boolean
  /** Of the running pipeline to ask; http.host and http.port when absent. */
  readonly url?: string
}

/** `ctr checkpoint export`. */
export interface ExportOptions extends ConfigOptions, ViewWish {
  readonly format: 'json' | 'csv'
}

/** `ctr load`. */
export interface LoadOptions extends ConfigOptions, ViewWish {
  /** Comma-separated; instead of kafka.brokers. */
  readonly brokers?: string
  /** One of LOAD_PROFILES: rate and products, where they are not given themselves. */
  readonly profile?: string
  /** Events per second; 0 is as fast as it goes. */
  readonly rate?: number
  /** ms. */
  readonly duration?: number
  readonly count?: number
  readonly products?: number
  /** Per minute. */
  readonly newProducts: number
  readonly popularity: 'zipf' | 'uniform'
  /** Exponent of zipf. */
  readonly skew: number
  readonly users: number
  /** Of a topic that is created. */
  readonly partitions: number
  /** Comma-separated; instead of kafka.topics. */
  readonly topics?: string
  /** Shares, 0 to 1. */
  readonly clicks: number
  readonly late: number
  readonly invalid: number
  readonly duplicates: number
  /** ms. */
  readonly disorder: number
  readonly lateBy: number
  readonly keys: 'snake' | 'camel' | 'mixed'
  readonly userIds: 'number' | 'uuid' | 'email'
  readonly eventBytes: number
  readonly format?: 'json' | LoadFormat
  readonly envelope?: LoadEnvelope
  /** Where fields are that are elsewhere than the envelope has them. */
  readonly fields?: EventShape['fields']
  readonly types?: EventShape['types']
  readonly codec: CodecName
  readonly seed: number
  readonly batchBytes: number
  readonly threads?: number
  /** ms since the epoch. */
  readonly startTime?: number
}

/** `ctr config`. */
export interface CheckOptions extends ConfigOptions {
  readonly connect?: boolean
  /** Records of each topic. */
  readonly sample?: number
  /** Share, 0 to 1. */
  readonly maxInvalid: number
}

/** `ctr test`. */
export interface TestCasesOptions extends ConfigOptions {
  /** A part of names. */
  readonly only?: string
  readonly json?: boolean
}

/** `ctr plan`. */
export interface PlanOptions extends ConfigOptions {
  /** Events per second. */
  readonly rate: number
  readonly products: number
  /** ms; window.size when absent. */
  readonly window?: number
  readonly eventBytes: number
  readonly codec: CodecName
  readonly idBytes: number
  readonly spread?: boolean
  readonly keepDays: number
  readonly headroom: number
  readonly pods: number
  /** USD a month. */
  readonly corePrice?: number
  readonly gibPrice?: number
  readonly diskPrice?: number
  readonly json?: boolean
}

/** `ctr letters`: which ones. Times are ms since the epoch. */
export interface LettersOptions extends ConfigOptions {
  readonly reason?: readonly string[]
  readonly topic?: string
  readonly since?: number
  readonly until?: number
  /** A value that the record has, as it is or masked. */
  readonly holding?: string
  /** Late events instead of dead letters. */
  readonly late?: boolean
  readonly json?: boolean
}

/** `ctr letters list`. */
export interface ListLettersOptions extends LettersOptions {
  readonly limit: number
}

/** `ctr letters retry`. */
export interface RetryLettersOptions extends LettersOptions {
  readonly dryRun?: boolean
  /** Of a module. */
  readonly map?: string
  readonly into?: string
  readonly limit?: number
  /** A topic. */
  readonly progress?: string
  readonly perTransaction: number
}

/** `ctr doctor`. */
export interface DoctorOptions extends ConfigOptions {
  /** Of each check, ms. */
  readonly timeout: number
  /** A warning is as bad as a fault. */
  readonly strict?: boolean
  readonly json?: boolean
}

/** `ctr selftest`. */
export interface SelftestOptions extends ConfigOptions, TestOptions, ViewWish {
  readonly json?: boolean
}

/** `ctr init`. */
export interface InitOptions extends ConfigOptions {
  /** Comma-separated; instead of kafka.brokers. */
  readonly brokers?: string
  /** Addresses of a schema registry, comma-separated; instead of schemaRegistry.url. */
  readonly schemaRegistry?: string
  /** Those to take; what looks countable when absent. */
  readonly topic?: readonly string[]
  /** Records. */
  readonly sample: number
  readonly print?: boolean
  readonly yes?: boolean
  readonly force?: boolean
  /** Path. */
  readonly output: string
}

/** `ctr tap`. */
export interface TapOptions extends ConfigOptions {
  readonly topic?: readonly string[]
  /** Which verdicts are shown; all when none is given. */
  readonly invalid?: boolean
  readonly late?: boolean
  readonly ignored?: boolean
  readonly limit?: number
  readonly from?: From
  readonly showUsers?: boolean
  readonly json?: boolean
}
