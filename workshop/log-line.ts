/** A line of the engine's log. */
export interface LogLine {
  readonly level: number
  readonly msg: string
  readonly time: number | string
  /** Of the pipeline, when it changes. */
  readonly state?: string
  readonly [field: string]: unknown
}

/** Undefined for a complaint in words. */
export function readLog(line: string): LogLine | undefined {
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return undefined
  }
}
