/**
 * Which partitions of a source are paused, and whether the source has been asked to stop. A source waits at the gate before each batch.
 */
export class Gate {
  stopped = false
  readonly #paused = new Set<number>()
  #waiting: (() => void)[] = []

  pause(lane: number): void {
    this.#paused.add(lane)
  }

  resume(lane: number): void {
    if (this.#paused.delete(lane)) this.#wake()
  }

  stop(): void {
    this.stopped = true
    this.#wake()
  }

  /** True when a batch of this lane may be delivered now. */
  open(lane: number): boolean {
    return !this.#paused.has(lane)
  }

  /** Resolves when any lane was resumed or the source stopped; at once when it has stopped already. */
  changed(): Promise<void> {
    if (this.stopped) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
