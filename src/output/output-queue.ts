/**
 * What every output has in common: records wait as lines of JSON in a bounded queue, in batches, of which as many are under way at once as
 * the destination takes. A batch that fails is tried again with backoff until it is delivered; meanwhile one is tried at a time.
 */
import type { Logger } from 'pino'
import { assert } from '../assert.ts'
import { type Backoff, backoffMs } from '../backoff.ts'
import { sleep } from '../clock.ts'
import { CtrError } from '../errors.ts'
import { LetterEncoder } from './letter-encoder.ts'
import { LineBatch, type Lines } from './lines.ts'
import type { Output, OutputLabel, OutputRecord } from './output.ts'

const QUEUE_MAX_BYTES = 8 * 1024 * 1024
/** Brokers take batches of a mebibyte by default, headers included. */
const BATCH_MAX_BYTES = 512 * 1024
/** Memory of a batch: most of its last line still fits. Larger memory is not kept. */
const MEMORY_BYTES = BATCH_MAX_BYTES + 64 * 1024
const BACKOFF: Backoff = { firstMs: 100, maxMs: 10_000, shares: [0.5, 1] }
const CLOSE_MAX_MS = 5_000

/** One way of delivering. */
export interface Destination {
  /** For logs: "topic ctr-dead-letters". */
  readonly place: string
  /** How many batches it takes at once; 1 keeps lines in order. */
  readonly parallel: number
  /** Resolves when the lines are safe where they belong. Their memory is left alone until it settles. */
  deliver(lines: Lines): Promise<void>
  close(): Promise<void>
}

interface Waiter {
  readonly sequence: number
  resolve(): void
  reject(error: Error): void
}

/** An output over one way of delivering. `queueMaxBytes` bounds what waits, and 'full' is where it begins. */
export function outputQueue(delivery: Destination, label: OutputLabel, logger: Logger, queueMaxBytes = QUEUE_MAX_BYTES): Output {
  return new OutputQueue(delivery, label, logger, queueMaxBytes)
}

class OutputQueue implements Output {
  /** Why they wait, from the second failure in a row on. */
  trouble: string | undefined
  readonly #delivery: Destination
  readonly #records: string
  readonly #logger: Logger
  readonly #maxBytes: number
  readonly #encoder = new LetterEncoder()
  readonly #closing = new AbortController()
  readonly #spare: Buffer[] = []
  /** Being filled; sealed and not under way, oldest first; under way; all that are not acknowledged, in the order of their lines. */
  #open: LineBatch | undefined
  readonly #sealed: LineBatch[] = []
  readonly #away = new Set<LineBatch>()
  readonly #unsafe: LineBatch[] = []
  readonly #safe = new Set<LineBatch>()
  readonly #waitForDelivery: Waiter[] = []
  #waitForRoom: (() => void)[] = []
  #waitForRest: (() => void)[] = []
  #queuedBytes = 0
  #put = 0
  #acknowledged = 0
  #failures = 0
  #pausing = false
  #scheduled = false

  constructor(delivery: Destination, { records }: OutputLabel, logger: Logger, maxBytes: number) {
    this.#delivery = delivery
    this.#records = records
    this.#logger = logger
    this.#maxBytes = maxBytes
  }

  get full(): boolean {
    return this.#queuedBytes >= this.#maxBytes
  }

  put(record: OutputRecord): void {
    assert(!this.#closing.signal.aborted, 'nothing is put into an output after close')
    let batch = this.#open ?? this.#begin(new LineBatch(this.#memory()))
    this.#queuedBytes += batch.add(record, this.#encoder)
    if (batch.size > BATCH_MAX_BYTES && batch.ends.length > 1) {
      const next = batch.splitLast(this.#memory())
      this.#seal(batch)
      batch = this.#begin(next)
    }
    batch.last = ++this.#put
    if (batch.size >= BATCH_MAX_BYTES) this.#seal(batch)
    else if (!this.#scheduled && this.#away.size === 0) {
      // What is put in this turn goes together.
      this.#scheduled = true
      queueMicrotask(() => {
        this.#scheduled = false
        this.#pump()
      })
    }
  }

  room(): Promise<void> {
    return this.full && !this.#closing.signal.aborted ? new Promise((resolve) => this.#waitForRoom.push(resolve)) : Promise.resolve()
  }

  delivered(): Promise<void> {
    if (this.#acknowledged === this.#put) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waitForDelivery.push({ sequence: this.#put, resolve, reject }))
  }

  async close(): Promise<void> {
    const patience = new AbortController()
    const rest = this.#unsafe.length === 0 ? undefined : new Promise<void>((resolve) => this.#waitForRest.push(resolve))
    await Promise.race([rest, sleep(CLOSE_MAX_MS, patience.signal)])
    patience.abort()
    this.#closing.abort()
    const { place } = this.#delivery
    const waiting = this.#put - this.#acknowledged
    if (waiting > 0) this.#logger.error({ waiting }, `closed with ${this.#records} undelivered to ${place}`)
    const error = new CtrError('CTR_DEAD_LETTER', `closed before the ${this.#records} were delivered to ${place}`)
    for (const { reject } of this.#waitForDelivery.splice(0)) reject(error)
    for (const resolve of this.#waitForRoom.splice(0)) resolve()
    await this.#delivery.close()
  }

  #memory(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(MEMORY_BYTES)
  }

  #begin(batch: LineBatch): LineBatch {
    this.#open = batch
    this.#unsafe.push(batch)
    return batch
  }

  #seal(batch: LineBatch): void {
    this.#open = undefined
    this.#sealed.push(batch)
    this.#pump()
  }

  /** Sends what may be sent now. A batch that is not full goes when nothing else is under way. */
  #pump(): void {
    while (!this.#closing.signal.aborted && !this.#pausing) {
      const limit = this.#failures > 0 ? 1 : this.#delivery.parallel
      if (this.#away.size >= limit) return
      if (this.#sealed.length === 0 && this.#open !== undefined && this.#away.size === 0) {
        this.#sealed.push(this.#open)
        this.#open = undefined
      }
      const batch = this.#sealed.shift()
      if (batch === undefined) return
      this.#away.add(batch)
      const before = this.#failures
      this.#delivery.deliver(batch).then(
        () => this.#arrived(batch),
        (error: unknown) => this.#failed(batch, before, error),
      )
    }
  }

  #arrived(batch: LineBatch): void {
    this.#away.delete(batch)
    this.#failures = 0
    this.trouble = undefined
    this.#queuedBytes -= batch.size
    this.#safe.add(batch)
    while (this.#unsafe[0] !== undefined && this.#safe.delete(this.#unsafe[0])) {
      this.#acknowledged = this.#unsafe.shift()?.last ?? 0
    }
    const memory = batch.release()
    if (memory.length === MEMORY_BYTES && this.#spare.length <= this.#delivery.parallel) this.#spare.push(memory)
    while ((this.#waitForDelivery[0]?.sequence ?? Number.POSITIVE_INFINITY) <= this.#acknowledged) this.#waitForDelivery.shift()?.resolve()
    if (!this.full) for (const resolve of this.#waitForRoom.splice(0)) resolve()
    if (this.#unsafe.length === 0) for (const resolve of this.#waitForRest.splice(0)) resolve()
    this.#pump()
  }

  /** `before` is how many failures there had been when it was sent: batches that fail together are one failure. */
  #failed(batch: LineBatch, before: number, error: unknown): void {
    this.#away.delete(batch)
    const next = this.#sealed.findIndex(({ last }) => last > batch.last)
    this.#sealed.splice(next < 0 ? this.#sealed.length : next, 0, batch)
    if (this.#closing.signal.aborted) return
    if (before !== this.#failures) {
      this.#pump()
      return
    }
    const reason = error instanceof Error ? error.message : String(error)
    const message = `${this.#records} not delivered to ${this.#delivery.place}: ${reason}`
    if (before > 0) this.trouble = message
    const waiting = this.#put - this.#acknowledged
    this.#logger.error({ code: 'CTR_DEAD_LETTER', waiting, attempt: before }, `${message}; trying again`)
    this.#failures++
    this.#pausing = true
    void sleep(backoffMs(this.#failures, BACKOFF), this.#closing.signal).then(() => {
      this.#pausing = false
      this.#pump()
    })
  }
}
