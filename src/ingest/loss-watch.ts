/** Tells what Kafka withholds or has lost: transactions that stay open, records that are gone, topics that were made again. */
import { formatDuration } from '../config/units.ts'
import type { Degradations } from '../degraded.ts'
import type { NameOfPartition } from '../source/source.ts'
import type { TimeRules } from '../window/task.ts'
import type { OwnedTasks } from './owned-tasks.ts'

/** A transaction that is open for so long is told, or at once when it doesn't hold its partition any more. */
const OPEN_TOLD_AFTER_MS = 60_000
/** For so long lost records are told of. */
const LOSS_TOLD_MS = 3_600_000

export class LossWatch {
  readonly #owned: OwnedTasks
  readonly #degradations: Degradations
  readonly #rules: TimeRules
  readonly #nameOf: NameOfPartition

  constructor(owned: OwnedTasks, degradations: Degradations, rules: TimeRules, nameOf: NameOfPartition) {
    this.#owned = owned
    this.#degradations = degradations
    this.#rules = rules
    this.#nameOf = nameOf
  }

  /** To be called often; tells and takes back. */
  look(now: number): void {
    this.#tellLosses(now)
    this.#tellRemade()
    this.#tellTransactions(now)
  }

  #tellLosses(now: number): void {
    const told = new Set<string>()
    for (const partition of this.#owned.partitions) {
      if (partition.loss === undefined || now - partition.lossAt > LOSS_TOLD_MS) continue
      const name = this.#nameOf(partition)
      told.add(name)
      this.#degradations.report('recordsLost', name, `${name}: ${partition.loss}`)
    }
    this.#degradations.keepOnly('recordsLost', told)
  }

  #tellRemade(): void {
    const told = new Set<string>()
    for (const { time } of this.#owned.tasks.values()) {
      const end = time.nearOrphansUntil
      if (end === undefined) continue
      const name = `task ${time.task}`
      const until = new Date(end).toISOString()
      told.add(name)
      const what = `a topic of ${name} was deleted and made again: its open windows up to ${until} hold events of the old one`
      this.#degradations.report('topicRemade', name, `${what}; until they are closed for good only a checkpoint can rebuild them`)
    }
    this.#degradations.keepOnly('topicRemade', told)
  }

  #tellTransactions(now: number): void {
    const { openTransactionHold: hold = 0 } = this.#rules
    const open = new Set<string>()
    const hanging = new Set<string>()
    for (const partition of this.#owned.partitions) {
      const { openSince, endOffset, highWatermark } = partition
      if (openSince === undefined || now - openSince < Math.min(hold, OPEN_TOLD_AFTER_MS)) continue
      const name = this.#nameOf(partition)
      // This process sees it since then; one before it may have seen it too.
      const since = `since ${new Date(openSince).toISOString()} at least`
      const what = `${name}: a transaction is open ${since}, at offset ${endOffset}, ${highWatermark - endOffset} records wait for its end`
      const remedy = 'end it at its producer, or find and abort it with kafka-transactions.sh'
      if (now - openSince < hold) {
        open.add(name)
        this.#degradations.report('openTransaction', name, `${what}, and the windows of task ${partition.partition} with them; ${remedy}`)
      } else {
        hanging.add(name)
        const limit = `time.openTransaction.hold (${formatDuration(hold)})`
        this.#degradations.report('hangingTransaction', name, `${what}; that is longer than ${limit}: others go on without them; ${remedy}`)
      }
    }
    this.#degradations.keepOnly('openTransaction', open)
    this.#degradations.keepOnly('hangingTransaction', hanging)
  }
}
