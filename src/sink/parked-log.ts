/** Parked rows in the log: at most LOG_PER_KIND lines per code of ClickHouse and minute. The rows themselves are in the dead letters. */
import type { Clock } from '../clock.ts'
import type { ParkedRow } from './deliver.ts'

const LOG_PER_KIND = 5
const LOG_PERIOD_MS = 60_000

interface Log {
  error(values: object, message: string): void
}

/** Logs what it is given, sparingly. */
export function parkedLog(log: Log, clock: Clock): (rows: readonly ParkedRow[]) => void {
  const logged = new Map<number, number>()
  let periodEnds = 0
  return (rows) => {
    if (clock() >= periodEnds) {
      logged.clear()
      periodEnds = clock() + LOG_PERIOD_MS
    }
    for (const { code, reason, task, windowStart, windowEnd } of rows) {
      const seen = (logged.get(code) ?? 0) + 1
      logged.set(code, seen)
      if (seen > LOG_PER_KIND) continue
      const window = { windowStart: new Date(windowStart).toISOString(), windowEnd: new Date(windowEnd).toISOString() }
      const more = seen === LOG_PER_KIND ? '; no more of this kind for a minute' : ''
      const fields = { code: 'CTR_CLICKHOUSE_REFUSED', clickhouse: code, task, ...window }
      log.error(fields, `a row is parked in the dead letters, its window is incomplete: ClickHouse refuses it (${reason})${more}`)
    }
  }
}
