/**
 * What a diagnosis looks at: the engine at one moment, as plain data. Answers of `/api/v1/state`, with the partitions and tasks of
 * `/api/v1/partitions`, are samples, so that what was recorded of an incident can be judged again. Times are ISO 8601 in UTC.
 */
export interface EngineSample {
  readonly at: string
  readonly state: 'starting' | 'running' | 'draining' | 'stopped' | 'restarting'
  readonly ready: boolean
  /** Why it is not ready. */
  readonly reasons: readonly string[]
  readonly degraded: readonly DegradedSample[]
  readonly restarts: number
  readonly rates: {
    readonly recordsPerSecond: number
    readonly rowsPerSecond: number
    /** Of the time, main waited for room in a ring. */
    readonly backpressureShare: number
  }
  readonly totals: { readonly checkpointFailures: number; readonly sinkRetries: number; readonly rowsParked: number }
  readonly rowsPending: number
  readonly lagRecords: number | null
  readonly behindSeconds: number | null
  readonly watermark: { readonly lagSeconds: number | null; readonly task: number | null }
  /** Of the time, an insert was under way; null when nobody measured it. */
  readonly sink: { readonly insertShare: number | null }
  readonly checkpoint: { readonly enabled: boolean; readonly ageSeconds: number | null }
  readonly workers: readonly { readonly worker: number; readonly ringFillShare: number }[]
  readonly memory: { readonly rssBytes: number; readonly limitBytes: number }
  /** 1 is a core that did nothing else. */
  readonly cost: { readonly threads: readonly { readonly thread: string; readonly coresUsed: number }[] }
  readonly partitions: readonly PartitionSample[]
  readonly tasks: readonly TaskSample[]
}

/** Something that the engine says of itself. */
export interface DegradedSample {
  readonly code: string
  readonly subject: string
  readonly message: string
  readonly since: string
}

/** A partition that this process reads. */
export interface PartitionSample {
  readonly topic: string
  readonly partition: number
  readonly task: number
  readonly lagRecords: number | null
  readonly behindSeconds: number | null
  readonly watermark: string | null
  readonly recordsPerSecond: number
  readonly idle: boolean
  readonly paused: boolean
  readonly ended: boolean
}

/** A task, and the partition without which it would be further. */
export interface TaskSample {
  readonly task: number
  readonly lagSeconds: number | null
  readonly heldBy: { readonly topic: string; readonly partition: number; readonly bySeconds: number | null } | null
}
