/** What the command line hands to the verbs. */

/** Options that every verb with a configuration takes. */
export interface ConfigOptions {
  /** Path of the YAML file. */
  readonly config?: string
  /** `key=value` texts that override it. */
  readonly set: readonly string[]
}

/** `ctr run`. */
export interface RunOptions extends ConfigOptions {
  /** Read up to the end offsets found at the start, emit every window, and end. */
  readonly untilEnd: boolean
}

/** `ctr replay`. */
export interface ReplayOptions extends ConfigOptions {
  /** Spread the lines over so many partitions; one per file when absent. */
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

/** `ctr query`. */
export interface QueryOptions extends ConfigOptions {
  /** Any of ClickHouse's formats; a readable table when absent. */
  readonly format?: string
}

/** `ctr load`. */
export interface LoadOptions extends ConfigOptions {
  /** Comma-separated; instead of kafka.brokers. */
  readonly brokers?: string
  /** Events per second; 0 is as fast as it goes. */
  readonly rate: number
  /** ms. */
  readonly duration?: number
  readonly count?: number
  readonly products: number
  /** Of a topic that is created. */
  readonly partitions: number
  /** Comma-separated; instead of kafka.topics. */
  readonly topics?: string
  /** Shares, 0 to 1. */
  readonly late: number
  readonly invalid: number
  /** ms. */
  readonly disorder: number
  readonly codec: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  readonly seed: number
  readonly batchBytes: number
  /** ms since the epoch. */
  readonly startTime?: number
}
