/** A checkpoint in one line, as plain data. */
import type { StoredManifest } from './manifest.ts'
import { openWindows } from './stored-task.ts'

/** A manifest in one line. */
export function summaryOf({ manifest, bytes }: StoredManifest, now: number) {
  const { id, savepoint, writer, createdAt, tasks } = manifest
  const published = tasks.flatMap((task) => task.published ?? [])
  return {
    id,
    savepoint,
    writer,
    createdAt: isoTime(createdAt),
    ageMs: now - createdAt,
    watermark: published.length === tasks.length && tasks.length > 0 ? isoTime(Math.min(...published)) : null,
    tasks: tasks.length,
    windows: tasks.reduce((sum, task) => sum + openWindows(task).size, 0),
    cells: tasks.reduce((sum, { object }) => sum + (object?.cells ?? 0), 0),
    bytes: tasks.reduce((sum, { object }) => sum + (object?.bytes ?? 0), bytes),
  }
}

/** A line of `ctr checkpoint list`. */
export type Summary = ReturnType<typeof summaryOf>

/** ISO-8601, UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
