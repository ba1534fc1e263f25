/**
 * What main tells all workers at once: watermarks, ticks, barriers, tasks that have left, the end.
 *
 * Each goes into every ring in one synchronous step or into none, so the order in the rings is the order in which main decided. A full ring
 * makes the caller await room, and the source with it: that is the backpressure. After `stop` nothing goes in any more, and whoever waits
 * gives up.
 */
import type { Clock } from '../clock.ts'
import { putBarrier, putCheckpoint, putDrop, putEnd, putQuiet, putTick, putWatermark } from '../ring/blocks.ts'
import type { Rings } from '../ring/rings.ts'
import type { Closings } from '../window/closings.ts'
import type { Task } from '../window/task.ts'

export class Broadcasts {
  /** Wall time, ms, that was waited for a ring or the dead letters. */
  backpressureMs = 0
  /** Who waits for a ring or the dead letters now. */
  waiting = 0
  stopped = false
  readonly #rings: Rings
  readonly #ringRoom: (ring: number) => Promise<void>
  readonly #clock: Clock
  readonly #closings: Closings | undefined
  /** Tasks that have left, of which the workers don't know yet. */
  readonly #left: number[] = []
  #telling: Promise<void> | undefined

  /** `ringRoom` resolves when a ring may have room again; `closings` is where it is noted when windows were closed. */
  constructor(rings: Rings, ringRoom: (ring: number) => Promise<void>, clock: Clock, closings?: Closings) {
    this.#rings = rings
    this.#ringRoom = ringRoom
    this.#clock = clock
    this.#closings = closings
  }

  stop(): void {
    this.stopped = true
  }

  /** Publishes the task's watermark if the workers would do something at it; false when the ring `fullRing` is full. */
  tryPublish(time: Task): boolean {
    const watermark = time.watermark()
    if (!time.mustPublish(watermark)) return true
    if (this.#closings !== undefined) time.noteClosings(this.#closings, watermark, this.#clock())
    if (!putWatermark(this.#rings, time.task, watermark)) return false
    time.publish(watermark)
    return true
  }

  /** The ring that was full when something last did not go in. */
  get fullRing(): number {
    return this.#rings.fullRing
  }

  /** A task begins at this watermark, ms. */
  async watermark(task: number, watermark: number): Promise<void> {
    await this.#put(() => putWatermark(this.#rings, task, watermark))
  }

  async tick(): Promise<void> {
    await this.#put(() => putTick(this.#rings))
  }

  async quiet(task: number): Promise<void> {
    const wallTime = this.#clock()
    await this.#put(() => putQuiet(this.#rings, task, wallTime))
  }

  /** `cut` runs in the same step in which the barrier goes in. */
  async barrier(number: number, cut: () => void): Promise<void> {
    await this.#put(() => putBarrier(this.#rings, number), cut)
  }

  /** The same for a checkpoint; which tasks are to be copied is asked in that step too. */
  async checkpoint(number: number, tasks: () => readonly number[], cut: (copied: readonly number[]) => void): Promise<void> {
    let copied: readonly number[] = []
    const put = () => {
      copied = tasks()
      return putCheckpoint(this.#rings, number, copied)
    }
    await this.#put(put, () => cut(copied))
  }

  async end(emitAll: boolean): Promise<void> {
    await this.#put(() => putEnd(this.#rings, emitAll))
  }

  /** The task has left this process; `tellLeft` tells the workers. */
  leaves(task: number): void {
    this.#left.push(task)
  }

  /** Tasks have left of which the workers don't know yet: nothing new may be told before they do. */
  get untold(): boolean {
    return this.#left.length > 0
  }

  /** Whoever comes waits for the same telling: each task that has left is dropped once, before anything new of it is told. */
  tellLeft(): Promise<void> {
    this.#telling ??= this.#tellEach().finally(() => {
      this.#telling = undefined
    })
    return this.#telling
  }

  /** Waits for room in a ring; false when the run has been stopped. */
  ringRoom(ring: number): Promise<boolean> {
    return this.room(this.#ringRoom(ring))
  }

  /** The same, for what else may be full. */
  async room(room: Promise<void>): Promise<boolean> {
    const from = this.#clock()
    this.waiting++
    await room.finally(() => this.waiting--)
    this.backpressureMs += this.#clock() - from
    return !this.stopped
  }

  /** Wakes workers that sleep beside what was put without waking them. */
  wake(): void {
    for (const writer of this.#rings.writers) writer.wake()
  }

  async #tellEach(): Promise<void> {
    for (let task = this.#left[0]; task !== undefined && !this.stopped; task = this.#left[0]) {
      const leaving = task
      await this.#put(
        () => putDrop(this.#rings, leaving),
        () => this.#left.shift(),
      )
    }
  }

  async #put(put: () => boolean, cut?: () => void): Promise<void> {
    while (!this.stopped) {
      if (put()) return cut?.()
      await this.ringRoom(this.#rings.fullRing)
    }
  }
}
