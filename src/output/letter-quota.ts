/**
 * How many dead letters are kept: so many of each reason, partition and minute. A producer whose every event is invalid would otherwise
 * fill the dead letters with the same one, a copy larger than the original, and take more of the engine's time than the valid events. What
 * is left out is counted here, and in the ledger like any other.
 */
import { REASONS } from '../format/reasons.ts'

const PERIOD_MS = 60_000
/** Kafka's partitions are numbered by int32. */
const PARTITIONS_END = 2 ** 31

export class LetterQuota {
  /** Letters left out since start, by reason number. */
  readonly leftOut = new Float64Array(REASONS.length)
  /** How often a minute has begun since the first. */
  rounds = 0
  readonly #perReason: number
  /** Letters kept in this period by reason, by topic and partition. */
  readonly #kept = new Map<number, Float64Array>()
  /** Of the partition asked about last. */
  #keptOf: Float64Array = new Float64Array(REASONS.length)
  #place = -1
  #periodEnds: number | undefined

  /** `perReason` as `deadLetter.perReason`; Infinity keeps all. */
  constructor(perReason: number) {
    this.#perReason = perReason
  }

  /** To be called now and then: minutes begin here, so that nobody asks for the time at every letter. `now`: wall time, ms. */
  look(now: number): void {
    if (this.#periodEnds !== undefined && now < this.#periodEnds) return
    const isFirst = this.#periodEnds === undefined
    this.#periodEnds = now + PERIOD_MS
    // The first minute has begun with the first letter.
    if (isFirst) return
    this.rounds++
    this.#place = -1
    this.#kept.clear()
  }

  /** Whether this one is kept. */
  keeps(topicIndex: number, partition: number, reason: number): boolean {
    if (this.leavesOut(topicIndex, partition, reason)) return false
    this.#keptOf[reason] = (this.#keptOf[reason] ?? 0) + 1
    return true
  }

  /** Whether this one is left out, and counted as that; one that is not may be kept. */
  leavesOut(topicIndex: number, partition: number, reason: number): boolean {
    const place = topicIndex * PARTITIONS_END + partition
    if (place !== this.#place) {
      this.#place = place
      this.#keptOf = this.#kept.get(place) ?? new Float64Array(REASONS.length)
      this.#kept.set(place, this.#keptOf)
    }
    if ((this.#keptOf[reason] ?? 0) < this.#perReason) return false
    this.leftOut[reason] = (this.leftOut[reason] ?? 0) + 1
    return true
  }
}
