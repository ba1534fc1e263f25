/**
 * Barriers, commits and checkpoints of one pipeline, in the order that makes a restart exact:
 *
 *   barrier    every kafka.commitInterval: into all rings; marks, ledger and a checkpoint's facts of all tasks are noted in that step
 *   safe       rows before it acknowledged by ClickHouse, records acknowledged by their outputs, then its ledger rows acknowledged
 *   commit     its low-water marks go to the group; a commit that fails loses nothing, the next one covers it
 *   complete   of a checkpoint: objects, manifest. Meanwhile barriers go on
 *
 * One barrier at a time, one checkpoint at a time. A checkpoint that fails or takes too long is counted, logged and tried again at its next
 * turn; after more than tolerableFailures in a row the run fails. A task in which nothing was counted since it was last written is referred
 * to again, not written; when what it was written to is not there any more, the checkpoint is taken again at once, with that task.
 */
import type { Clock } from '../clock.ts'
import { CtrError } from '../errors.ts'
import type { LowWaterMark } from '../source/source.ts'
import { type LedgerRow, sumLeftBy, type WindowLedgerRow } from '../window/ledger.ts'
import type { Partition } from '../window/partition.ts'
import type { Task } from '../window/task.ts'
import { assertMarks, Barriers, sameMarks } from './barriers.ts'
import { type CheckpointStats, CheckpointTally } from './checkpoint-tally.ts'
import { factsOf } from './facts.ts'
import type { ObjectReference } from './manifest.ts'
import { type CheckpointWriter, NotWritten, type TaskCut, type Written } from './writer.ts'

/** When checkpoints are taken and given up, ms; see the configuration. */
export interface CheckpointPolicy {
  readonly interval: number
  readonly timeout: number
  readonly minPause: number
  readonly tolerableFailures: number
}

/** Where checkpoints go, and when. */
interface Keeping {
  readonly writer: CheckpointWriter
  readonly policy: CheckpointPolicy
}

export interface CoordinatorOptions {
  readonly topics: readonly string[]
  readonly commitInterval: number
  /** Without it only marks are committed. */
  readonly checkpoints: Keeping | undefined
  readonly tasks: () => readonly Task[]
  readonly marks: () => readonly LowWaterMark[]
  /** Puts barrier `number` into every ring; `cut` runs in that step. Gives up without it when the pipeline stops. */
  readonly tell: (number: number, cut: () => void) => Promise<void>
  readonly tellCheckpoint: (number: number, tasks: () => readonly number[], cut: (copied: readonly number[]) => void) => Promise<void>
  /** Resolves when every output has acknowledged what was put into it before the call: only then may a mark move past it. */
  readonly delivered: () => Promise<void>
  readonly writeLedger: (rows: readonly LedgerRow[], windows: readonly WindowLedgerRow[]) => Promise<void>
  readonly commit: (marks: readonly LowWaterMark[]) => Promise<boolean>
  readonly log: Log
  /** Wall time, for what is written. */
  readonly clock: Clock
  /** For intervals: a wall clock that is set back must not stop them. */
  readonly monotonic: Clock
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
}

interface Log {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
}

/** What a task was when its panes were last written or read. */
interface Known {
  readonly partitions: readonly Partition[]
  readonly positions: readonly number[]
  readonly counted: number
  readonly object: ObjectReference | null
}

/** What a barrier's step notes. */
interface CutNotes {
  readonly marks: readonly LowWaterMark[]
  readonly ledger: readonly LedgerRow[]
  readonly windows: readonly WindowLedgerRow[]
}

export class Coordinator {
  readonly tally: CheckpointTally
  readonly #options: CoordinatorOptions
  readonly #barriers = new Barriers()
  readonly #known = new Map<number, Known>()
  /** Objects of tasks that were restored and not yet cut. */
  readonly #restored = new Map<number, ObjectReference | null>()
  /** What tasks were at the cut of a checkpoint that is under way, by its number. */
  readonly #cutting = new Map<number, ReadonlyMap<number, Known>>()
  /** Position up to which a partition's ledger was told. */
  readonly #ledgerAt = new WeakMap<Partition, number>()
  /** Offset of a partition's low-water mark at the last barrier. */
  readonly #markedAt = new WeakMap<Partition, number>()
  #committed: readonly LowWaterMark[] = []
  /** Where a start would go on: behind the last complete checkpoint, or without any at the mark. */
  readonly #safeAt = new WeakMap<Partition, number>()
  #barrier: Promise<unknown> | undefined
  #checkpoint: Promise<unknown> | undefined
  #commitAt: number
  #checkpointAt: number

  constructor(options: CoordinatorOptions) {
    this.#options = options
    const now = options.monotonic()
    this.tally = new CheckpointTally(options.checkpoints !== undefined, now)
    this.#commitAt = now + options.commitInterval
    this.#checkpointAt = now + (options.checkpoints?.policy.interval ?? Number.POSITIVE_INFINITY)
  }

  get stats(): CheckpointStats {
    return this.tally.stats(this.#options.monotonic())
  }

  /** Marks of this run are with the group: the next start goes on from where this one has begun. */
  get hasCommitted(): boolean {
    return this.#committed.length > 0
  }

  /** Where a start goes on with the partition if this process dies now; undefined while nothing is safe. */
  safeOffset(partition: Partition): number | undefined {
    return this.#safeAt.get(partition)
  }

  /** The sink has seen barrier `number` through. */
  acknowledge(number: number): void {
    this.#barriers.acknowledge(number)
  }

  /** The task comes to this process. When it goes on from what `object` holds, nothing need be written while nothing is counted. */
  begins(task: number, object: ObjectReference | null | undefined): void {
    this.#known.delete(task)
    if (object === undefined) this.#restored.delete(task)
    else this.#restored.set(task, object)
  }

  /** The next checkpoint is due now: something is in memory that no offset gives again. */
  soon(): void {
    if (this.#options.checkpoints !== undefined) this.#checkpointAt = this.#options.monotonic()
  }

  /** Does what is due, without waiting for it. Rejects when the run can't go on. */
  tick(): Promise<void> | undefined {
    const now = this.#options.monotonic()
    if (this.#barrier !== undefined) return undefined
    const { checkpoints } = this.#options
    if (checkpoints !== undefined && now >= this.#checkpointAt && this.#checkpoint === undefined) {
      return this.#attempt(checkpoints, null).then(() => {})
    }
    if (now >= this.#commitAt) return this.#alone(() => this.#cut(undefined))
    return undefined
  }

  /** Takes a savepoint, or a checkpoint when `name` is null, now. Rejects with CtrError when it fails. */
  async take(name: string | null): Promise<Written> {
    const { checkpoints } = this.#options
    if (checkpoints === undefined) {
      throw new CtrError('CTR_CHECKPOINT_STORE', 'checkpoint.storage is none: there is nowhere to put it')
    }
    while (this.#barrier !== undefined || this.#checkpoint !== undefined) await Promise.allSettled([this.#barrier, this.#checkpoint])
    const written = await this.#attempt(checkpoints, name)
    if (written instanceof Error) throw written
    return written
  }

  /**
   * The last barrier of a run: all that was counted is in the ledger, also what is in windows still open when `all`. A checkpoint that is
   * still being written is left to its fate.
   */
  async last(all: boolean): Promise<void> {
    while (this.#barrier !== undefined) await Promise.allSettled([this.#barrier])
    await this.#alone(() => this.#cut(undefined, all ? 'all windows' : 'closed windows'))
  }

  #alone(act: () => Promise<unknown>): Promise<void> {
    this.#commitAt = this.#options.monotonic() + this.#options.commitInterval
    const acting = act().finally(() => {
      this.#barrier = undefined
    })
    this.#barrier = acting
    return acting.then(() => {})
  }

  /** A checkpoint, and a second one when what the first refers to is not there; the failure it ended in, if it isn't one too many. */
  async #attempt(keeping: Keeping, savepoint: string | null): Promise<Written | CtrError> {
    const ended = await this.#attemptOnce(keeping, savepoint, false)
    if (!(ended instanceof NotWritten) || ended.excuse.kind !== 'missing') return ended
    for (const task of ended.excuse.tasks) {
      this.#known.delete(task)
      this.#restored.delete(task)
    }
    this.#options.log.warn({ tasks: ended.excuse.tasks }, `${ended.message}; it is written again`)
    while (this.#barrier !== undefined || this.#checkpoint !== undefined) await Promise.allSettled([this.#barrier, this.#checkpoint])
    return this.#attemptOnce(keeping, savepoint, true)
  }

  /** From its barrier to its manifest. `again`: that something is missing is no excuse any more. */
  #attemptOnce({ writer, policy }: Keeping, savepoint: string | null, again: boolean): Promise<Written | CtrError> {
    const { monotonic } = this.#options
    const begun = monotonic()
    const number = this.#barriers.next
    this.#checkpointAt = begun + policy.interval
    let fatal: { readonly reason: unknown } | undefined
    const safe = this.#alone(() => this.#cut(savepoint)).catch((reason: unknown) => {
      fatal = { reason }
      throw reason
    })
    const ended = this.#within(
      policy.timeout,
      safe.then(() => writer.complete(number)),
    )
      .then((written) => this.#completed(number, written, begun))
      .catch((error: unknown) => {
        if (fatal !== undefined) throw fatal.reason
        writer.abandon(number)
        if (error instanceof NotWritten && !(again && error.excuse.kind === 'missing')) return error
        return this.#failed(number, policy.tolerableFailures, error)
      })
      .finally(() => {
        this.#cutting.delete(number)
        this.#checkpoint = undefined
        this.#checkpointAt = Math.max(this.#checkpointAt, monotonic() + policy.minPause)
      })
    this.#checkpoint = ended
    ended.catch(() => {}) // whoever asked for it is told too
    return ended
  }

  async #within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
    const patience = new AbortController()
    const late = this.#options.sleep(timeoutMs, patience.signal).then(() => {
      if (patience.signal.aborted) return new Promise<never>(() => {})
      const message = `not complete within checkpoint.timeout (${timeoutMs / 1000} s)`
      throw new CtrError('CTR_CHECKPOINT_FAILED', message, { retriable: true })
    })
    work.catch(() => {}) // it may fail later, when nobody waits any more
    try {
      return await Promise.race([work, late])
    } finally {
      patience.abort()
    }
  }

  /** The failure, for whoever asked for the checkpoint. Throws when it is one too many. */
  #failed(number: number, tolerable: number, error: unknown): CtrError {
    const failure = error instanceof CtrError ? error : new CtrError('CTR_CHECKPOINT_FAILED', String(error), { cause: error })
    const failures = this.tally.failed()
    const next = 'the next one is tried in its turn'
    this.#options.log.warn({ code: failure.code, failures }, `checkpoint ${number} failed: ${failure.message}; ${next}`)
    if (failures <= tolerable) return failure
    const message = `${failures} checkpoints in a row failed, checkpoint.tolerableFailures is ${tolerable}: ${failure.message}`
    throw new CtrError('CTR_CHECKPOINT_FAILED', message, { cause: failure })
  }

  #completed(number: number, written: Written, begun: number): Written {
    const known = this.#cutting.get(number)
    for (const { task, object } of written.objects) {
      const at = known?.get(task)
      if (at !== undefined) this.#known.set(task, { ...at, object })
    }
    for (const { partitions, positions } of known?.values() ?? []) {
      for (const [i, partition] of partitions.entries()) this.#safeAt.set(partition, positions[i] ?? 0)
    }
    const { monotonic, log } = this.#options
    const ms = Math.round(monotonic() - begun)
    this.tally.completed(written, ms, monotonic())
    const { id, cells, bytes, bytesWritten, pausedMs } = written
    log.info({ id, ms, cells, bytes, bytesWritten, pausedMs: Math.round(pausedMs * 1000) / 1000 }, 'checkpoint complete')
    return written
  }

  /** One barrier, to the point at which all before it is safe and its marks are committed. `savepoint` undefined: no checkpoint. */
  async #cut(savepoint: string | null | undefined, last?: 'all windows' | 'closed windows'): Promise<void> {
    const { tell, tellCheckpoint, delivered, writeLedger, commit, clock, checkpoints } = this.#options
    const number = this.#barriers.next
    let notes: CutNotes | undefined
    let safe: Promise<void> | undefined
    const cut = (copied?: readonly number[]) => {
      notes = this.#note(last !== undefined || copied !== undefined, last === 'all windows')
      if (copied !== undefined) {
        const tasks = this.#tasksAtCut(new Set(copied))
        this.#cutting.set(number, this.#knownNow())
        checkpoints?.writer.begin({ number, createdAt: clock(), savepoint: savepoint ?? null, tasks })
      }
      safe = this.#barriers.cut(delivered)
    }
    if (savepoint === undefined) await tell(number, () => cut())
    else await tellCheckpoint(number, () => this.#changedTasks(), cut)
    await safe
    if (notes === undefined) return // the pipeline has stopped
    const { marks, ledger, windows } = notes
    if (ledger.length + windows.length > 0) await writeLedger(ledger, windows)
    if (marks.length === 0 || sameMarks(marks, this.#committed)) return
    if (!(await commit(marks))) return
    this.#committed = marks
    if (checkpoints === undefined) this.#noteMarks(marks)
  }

  #noteMarks(marks: readonly LowWaterMark[]): void {
    for (const { partitions } of this.#options.tasks()) {
      for (const partition of partitions) {
        const same = ({ topicIndex, partition: number }: LowWaterMark) =>
          topicIndex === partition.topicIndex && number === partition.partition
        const mark = marks.find(same)
        if (mark !== undefined) this.#safeAt.set(partition, mark.offset)
      }
    }
  }

  #note(withLedger: boolean, all: boolean): CutNotes {
    const { tasks } = this.#options
    const marks = this.#options.marks()
    assertMarks(marks, tasks(), this.#markedAt)
    const windows = tasks().flatMap((task) => (all ? [...task.takeClosed(), ...task.openWindows()] : task.takeClosed()))
    const ledger = withLedger || windows.length > 0 ? this.#ledgerRows() : []
    return { marks, ledger, windows }
  }

  #ledgerRows(): LedgerRow[] {
    const rows: LedgerRow[] = []
    for (const task of this.#options.tasks()) {
      for (const partition of [...task.former, ...task.partitions]) {
        const totals = partition.totals()
        if (totals.read === 0 || this.#ledgerAt.get(partition) === partition.position) continue
        this.#ledgerAt.set(partition, partition.position)
        const deadLettered = sumLeftBy(totals, 'deadLetters')
        const topic = ledgerName(this.#options.topics[partition.topicIndex] ?? '', partition)
        const { approximateTime: maxEventTime } = partition
        rows.push({ topic, partition: partition.partition, last: partition.position - 1, totals, deadLettered, maxEventTime })
      }
    }
    return rows
  }

  /** Tasks with open panes in which something was counted since they were last written. */
  #changedTasks(): readonly number[] {
    return this.#options
      .tasks()
      .filter((task) => hasOpenWindows(task) && this.#unchanged(task) === undefined)
      .map(({ task }) => task)
  }

  #tasksAtCut(copied: ReadonlySet<number>): TaskCut[] {
    const { tasks, topics } = this.#options
    return tasks().map((task) => {
      const object = hasOpenWindows(task) ? (this.#unchanged(task)?.object ?? null) : null
      return { ...factsOf(task, topics), copied: copied.has(task.task), object }
    })
  }

  /** What the task was last written as, if it is still the same. */
  #unchanged(task: Task): { readonly object: ObjectReference | null } | undefined {
    const known = this.#known.get(task.task)
    const counted = countedIn(task)
    if (known === undefined) {
      const object = this.#restored.get(task.task)
      return object !== undefined && counted === 0 ? { object } : undefined
    }
    const same = known.counted === counted && known.partitions.length === task.partitions.length
    return same && known.partitions.every((partition, i) => partition === task.partitions[i]) ? known : undefined
  }

  #knownNow(): Map<number, Known> {
    const now = new Map<number, Known>()
    for (const task of this.#options.tasks()) {
      const positions = task.partitions.map(({ position }) => position)
      now.set(task.task, { partitions: [...task.partitions], positions, counted: countedIn(task), object: null })
    }
    return now
  }
}

/** A topic that was made again has a ledger of its own, under its id; no topic's name holds this sign. */
function ledgerName(topic: string, { remade, topicId = '' }: Partition): string {
  return remade === 0 ? topic : `${topic}#${topicId}`
}

function countedIn({ partitions }: Task): number {
  return partitions.reduce((sum, { counted }) => sum + counted, 0)
}

function hasOpenWindows({ partitions, orphans }: Task): boolean {
  return orphans.size > 0 || partitions.some(({ windows }) => windows.size > 0)
}
