/**
 * What has happened, with its begin and end: found in what changes from one snapshot to the next, and told by whoever does something. The
 * newest EVENTS_MAX are kept.
 */
import type { PipelineStats } from '../metrics/stats.ts'

/** Times in ms. */
export interface TimelineEvent {
  readonly at: number
  /** undefined of what takes no time, or goes on. */
  until?: number | undefined
  readonly kind: 'start' | 'stop' | 'restart' | 'rebalance' | 'savepoint' | 'checkpoint' | 'outage' | 'degraded' | 'state'
  readonly severity: 'info' | 'warning' | 'error'
  readonly message: string
}

const EVENTS_MAX = 500

export class Timeline {
  readonly #events: TimelineEvent[] = []
  /** What goes on, by what it is. */
  readonly #open = new Map<string, TimelineEvent>()
  #before: PipelineStats | undefined

  /** Oldest first. */
  get events(): readonly TimelineEvent[] {
    return this.#events
  }

  add(event: TimelineEvent): void {
    this.#events.push(event)
    if (this.#events.length > EVENTS_MAX) this.#events.shift()
  }

  /** Events of an earlier process. What went on when it ended is over, or is told anew. */
  restore(events: readonly TimelineEvent[]): void {
    this.#events.unshift(...events.slice(-Math.max(0, EVENTS_MAX - this.#events.length)))
  }

  /** Looks at a snapshot of the time `now`. */
  look(stats: PipelineStats, now: number): void {
    const before = this.#before
    this.#before = stats
    if (before === undefined) this.add({ at: now, kind: 'start', severity: 'info', message: 'the process has started' })
    else {
      const restarted = stats.restarts > before.restarts
      const message = `the pipeline has started again after ${before.notReady[0] ?? 'a failure'}`
      if (restarted) this.add({ at: now, kind: 'restart', severity: 'error', message })
      if (stats.state !== before.state && !restarted) {
        this.add({ at: now, kind: 'state', severity: 'info', message: `${before.state} → ${stats.state}` })
      }
      const moved = movedTasks(before, stats)
      if (moved !== '') this.add({ at: now, kind: 'rebalance', severity: 'info', message: moved })
      const failures = restarted ? 0 : stats.checkpoints.failures - before.checkpoints.failures
      const failed = `${failures === 1 ? 'a checkpoint' : `${failures} checkpoints`} failed`
      if (failures > 0) this.add({ at: now, kind: 'checkpoint', severity: 'warning', message: failed })
    }
    this.#lookAtTroubles(stats, now)
  }

  #lookAtTroubles(stats: PipelineStats, now: number): void {
    const goingOn = new Set<string>()
    const troubles = stats.state === 'running' || stats.state === 'restarting' ? stats.notReady : []
    for (const message of troubles) {
      // What is said of it changes with every try.
      goingOn.add('outage')
      this.#begin('outage', { at: now, kind: 'outage', severity: 'error', message })
    }
    for (const { code, subject, message, since } of stats.degraded) {
      const key = `degraded ${code} ${subject}`
      goingOn.add(key)
      this.#begin(key, { at: since, kind: 'degraded', severity: 'warning', message })
    }
    for (const [key, event] of this.#open) {
      if (goingOn.has(key)) continue
      event.until = now
      this.#open.delete(key)
    }
  }

  #begin(key: string, event: TimelineEvent): void {
    if (this.#open.has(key)) return
    this.#open.set(key, event)
    this.add(event)
  }
}

function movedTasks(before: PipelineStats, after: PipelineStats): string {
  const had = new Set(before.tasks.map(({ task }) => task))
  const has = new Set(after.tasks.map(({ task }) => task))
  const came = [...has].filter((task) => !had.has(task)).length
  const left = [...had].filter((task) => !has.has(task)).length
  if (came + left === 0) return ''
  return `${came} tasks came, ${left} left; this process has ${has.size}`
}
