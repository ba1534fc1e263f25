/**
 * When windows were closed: main notes it in shared memory just before it tells the workers, and the sink's thread looks it up when the
 * window's rows come. The ring between them carries the order, so a note is there before the rows are. A slot that another window has taken
 * since is found out by its key: then nothing is known, and nothing is counted.
 *
 *   slot  | task | window end | closed at | published at |   doubles, ms
 */
const SLOTS = 4096
const FIELDS = 4

/** Fresh memory for it. */
export function createClosings(): SharedArrayBuffer {
  return new SharedArrayBuffer(SLOTS * FIELDS * Float64Array.BYTES_PER_ELEMENT)
}

export class Closings {
  /** Of the window that `find` has found: when the record came that closed it (NaN: none did), and when the workers were told. */
  closedAt = 0
  publishedAt = 0
  readonly #slots: Float64Array

  constructor(buffer: SharedArrayBuffer) {
    this.#slots = new Float64Array(buffer)
  }

  note(task: number, end: number, closedAt: number, publishedAt: number): void {
    const at = slotOf(task, end)
    this.#slots[at] = task
    this.#slots[at + 1] = end
    this.#slots[at + 2] = closedAt
    this.#slots[at + 3] = publishedAt
  }

  /** False when nothing is known of the window. */
  find(task: number, end: number): boolean {
    const at = slotOf(task, end)
    if (this.#slots[at] !== task || this.#slots[at + 1] !== end || this.#slots[at + 3] === 0) return false
    this.closedAt = this.#slots[at + 2]!
    this.publishedAt = this.#slots[at + 3]!
    return true
  }
}

function slotOf(task: number, end: number): number {
  const hash = Math.imul(task ^ Math.imul(end % 0x7fff_ffff, 0x9e37_79b1), 0x85eb_ca6b)
  return ((hash >>> 16) % SLOTS) * FIELDS
}
