/** What a run waits for, and what an end leaves undone, in words for an operator. */
import { CtrError } from '../errors.ts'
import { type Outputs, outputsOf } from '../output/output.ts'
import type { Source } from '../source/source.ts'

/** Why nothing moves on: of ClickHouse ('' for nothing), of the source, of the outputs. */
export function troublesOf(clickhouse: string, source: Pick<Source, 'trouble'>, outputs: Outputs): string[] {
  const all = [clickhouse, source.trouble, ...outputsOf(outputs).map(({ trouble }) => trouble)]
  return all.flatMap((trouble) => (trouble === undefined || trouble === '' ? [] : [trouble]))
}

/** How far a run had come when shutdown.timeout was over. */
export interface LeftUndone {
  readonly shutdownTimeout: number
  readonly troubles: readonly string[]
  /** What was waited for. */
  readonly step: string
  readonly rowsPending: number
  readonly bounded: boolean
}

/** CTR_SHUTDOWN_TIMEOUT: what it still waited for, and what that means for the next start. */
export function notDrained(left: LeftUndone): CtrError {
  const rest = left.bounded
    ? 'the result is not complete, run it again'
    : 'nothing is lost, the next start reads on from the committed offsets'
  return new CtrError('CTR_SHUTDOWN_TIMEOUT', `not drained ${spellLeft(left)}; ${rest}`)
}

/** CTR_INTERRUPTED: a bounded run, or a replay, was ended by a signal before it had come to its end. */
export function interrupted(signal: string, remark = ''): CtrError {
  const message = `ended by ${signal} before everything was read: the result is not complete; run it again`
  return new CtrError('CTR_INTERRUPTED', message + remark)
}

/** What a drain was at when its time was over. */
export function spellLeft({ shutdownTimeout, troubles, rowsPending, step }: LeftUndone): string {
  const left = [`waited for ${step}`, ...troubles, ...(rowsPending === 0 ? [] : [`${rowsPending} rows are not acknowledged`])]
  return `within shutdown.timeout (${shutdownTimeout / 1000} s): ${left.join('; ')}`
}
