/**
 * A task object: the open panes of one task and the products in them, with the facts of the task as of its writing, so that it can be
 * read without its manifest. Version 1, or 2 where windows overlap. Integers of fixed size are little-endian; varints are LEB128 (7 bits a
 * byte, low bits first) of whole numbers up to 2^53 - 1.
 *
 *   byte 0      4         6          8           12          16                 16 + 16 n
 *        | CTRS | version | reserved | n sections | CRC of    | table of sections | section 0 | section 1 | ...
 *        | 4    | u16     | u16, 0   | u32        | head, u32 | 16 bytes each     |
 *
 *   table entry | kind u32 | size u32, bytes | CRC-32 of the section u32 | shard u32 |
 *   CRC of head covers bytes 0..12 and the table.
 *
 *   kind 1, facts     JSON (ObjectFacts); the first section
 *   kind 2, products  of one shard: | count | length of id 0 | length of id 1 | ... | id 0 | id 1 | ...      UTF-8, lengths as varints
 *   kind 3, panes     of the same shard, after its products; all varints:
 *                     | panes | then of each pane, by start:
 *                             | start | end - start | 1 dirty + 2 emitted | total | cells | then of each cell, by product:
 *                                     | product - product before - 1 (-1 before the first) | impressions | clicks |
 *
 *   kind 4, corrections  of the same shard, after its panes, in version 2 only; all varints:
 *                     | 1 + end of the last window that was written, or 0 | groups | then of each, by pane and windows missed:
 *                             | number of the pane | windows missed | cells | then cells as in a pane |
 *
 * A shard is what one worker held. Shards share no product. Only products that a pane counted are in it, numbered from 0 in each shard.
 * A cell takes at least 3 bytes and, with its product, seldom more than 20; `total` is the sum of a pane's cells.
 *
 * This file writes them; task-object-reader.ts reads them.
 */
import { crc32 } from 'node:zlib'
import { assert } from '../assert.ts'
import { CtrError } from '../errors.ts'
import { shaped } from '../shape.ts'
import { cellOf, PAGE_COUNTS, PAGE_IDS } from '../window/cells.ts'
import { CLICKS, eventsOf, isCounted, MEASURE_BITS } from '../window/measures.ts'
import { type ObjectFacts, objectFactsShape } from './manifest.ts'
import type { CorrectionsCopy, PaneCopy, ShardCopy } from './snapshot.ts'

/** Numbers of the format, as the header names them. */
export const TASK_OBJECT = {
  /** CTRS */
  magic: 0x53525443,
  version: 1,
  /** With corrections. */
  versionOverlap: 2,
  headBytes: 16,
  entryBytes: 16,
  facts: 1,
  products: 2,
  panes: 3,
  corrections: 4,
  dirty: 1,
  emitted: 2,
} as const

const SECTION_MAX_BYTES = 0xffff_ffff

/** An encoded task. */
export interface EncodedTask {
  readonly bytes: Uint8Array
  readonly crc32: number
  readonly cells: number
  readonly products: number
}

const OUTPUT_FIRST_BYTES = 1 << 16
/** Memory of which an object used less than this share is not kept for the next one. */
const OUTPUT_USED_MIN = 1 / 8

/** A buffer that grows; the owner writes at `at` after `room`. One serves for many objects, one after the other. */
export class ObjectOutput {
  bytes = new Uint8Array(OUTPUT_FIRST_BYTES)
  at = 0
  #numbers = new Int32Array(0)

  /** Room for a number of each of so many ids, all -1. */
  numbers(limit: number): Int32Array {
    if (limit > this.#numbers.length || limit < this.#numbers.length * OUTPUT_USED_MIN) this.#numbers = new Int32Array(limit + (limit >> 3))
    return this.#numbers.subarray(0, limit).fill(-1)
  }

  /** Begins anew at `at`; what was encoded before is gone. */
  begin(at: number): void {
    if (this.bytes.length > OUTPUT_FIRST_BYTES && this.at < this.bytes.length * OUTPUT_USED_MIN)
      this.bytes = new Uint8Array(OUTPUT_FIRST_BYTES)
    this.at = at
  }
}

/** The object of a task from what its workers copied. Its bytes lie in `out`, and are good until that is used again. */
export function encodeTask(facts: ObjectFacts, shards: readonly ShardCopy[], out: ObjectOutput = new ObjectOutput()): EncodedTask {
  const checked = shaped(objectFactsShape, facts)
  assert(checked.fault === undefined, 'facts that are written can be read', checked)
  assert(
    shards.every(({ task }) => task === facts.task),
    'an object holds one task',
    { task: facts.task },
  )
  const overlap = shards.some(({ emittedUpTo }) => emittedUpTo !== undefined)
  const sections = 1 + (overlap ? 3 : 2) * shards.length
  const headBytes = TASK_OBJECT.headBytes + sections * TASK_OBJECT.entryBytes
  out.begin(headBytes)
  const table: number[] = []
  const section = (kind: number, shard: number, write: () => void) => {
    const start = out.at
    write()
    const size = out.at - start
    if (size > SECTION_MAX_BYTES) throw new CtrError('CTR_CHECKPOINT_FAILED', `task ${facts.task}: its state is ${size} bytes, over 4 GiB`)
    table.push(kind, size, crc32(out.bytes.subarray(start, out.at)), shard)
  }
  section(TASK_OBJECT.facts, 0, () => writeBytes(out, Buffer.from(JSON.stringify(checked.value))))
  let cells = 0
  let products = 0
  for (const [i, shard] of shards.entries()) {
    const numbers = numberProducts(shard, out.numbers(shard.limit))
    section(TASK_OBJECT.products, i, () => {
      products += writeProducts(out, shard, numbers)
    })
    section(TASK_OBJECT.panes, i, () => {
      cells += writePanes(out, shard, numbers)
    })
    if (!overlap) continue
    section(TASK_OBJECT.corrections, i, () => {
      cells += writeCorrections(out, shard, numbers)
    })
  }
  const head = new DataView(out.bytes.buffer, 0, headBytes)
  head.setUint32(0, TASK_OBJECT.magic, true)
  head.setUint16(4, overlap ? TASK_OBJECT.versionOverlap : TASK_OBJECT.version, true)
  head.setUint16(6, 0, true)
  head.setUint32(8, sections, true)
  for (const [i, word] of table.entries()) head.setUint32(TASK_OBJECT.headBytes + i * 4, word, true)
  head.setUint32(12, crcOfHead(out.bytes, headBytes), true)
  const bytes = out.bytes.subarray(0, out.at)
  return { bytes, crc32: crc32(bytes), cells, products }
}

/** CRC-32 of the fixed head before its CRC, and of the table. */
export function crcOfHead(bytes: Uint8Array, headBytes: number): number {
  return crc32(bytes.subarray(TASK_OBJECT.headBytes, headBytes), crc32(bytes.subarray(0, 12)))
}

/** The first id from `id` on that the pane counted; `limit` or more when there is none below it. */
function nextCounted({ directory, counts }: PaneCopy, id: number, limit: number): number {
  let next = id
  for (; next < limit; next++) {
    const cell = cellOf(directory, next)
    if (cell < PAGE_COUNTS) next |= PAGE_IDS - 1
    else if (isCounted(counts, cell)) break
  }
  return next
}

/** Sets for each id of a shard its number in the object; those that no pane counted keep -1. */
function numberProducts({ limit, panes }: ShardCopy, numbers: Int32Array): Int32Array {
  for (const pane of panes) {
    for (let id = nextCounted(pane, 0, limit); id < limit; id = nextCounted(pane, id + 1, limit)) numbers[id] = 0
    for (const id of pane.corrections?.ids ?? []) numbers[id] = 0
  }
  let next = 0
  for (let id = 0; id < limit; id++) if (numbers[id] === 0) numbers[id] = next++
  return numbers
}

function writeProducts(out: ObjectOutput, { arena, places }: ShardCopy, numbers: Int32Array): number {
  const words = new Int32Array(arena.buffer, arena.byteOffset, arena.length >> 2)
  let products = 0
  for (let id = 0; id < numbers.length; id++) if (numbers[id]! >= 0) products++
  room(out, 8)
  writeVarint(out, products)
  for (let id = 0; id < numbers.length; id++) {
    if (numbers[id]! < 0) continue
    const place = places[id] ?? -1
    assert(place >= 0, 'a counted id names a product', { id })
    room(out, 8)
    writeVarint(out, words[place]!)
  }
  for (let id = 0; id < numbers.length; id++) {
    if (numbers[id]! < 0) continue
    const start = (places[id]! + 1) * 4
    const length = words[places[id]!]!
    room(out, length)
    const { bytes, at } = out
    for (let i = 0; i < length; i++) bytes[at + i] = arena[start + i]!
    out.at += length
  }
  return products
}

function writePanes(out: ObjectOutput, { limit, panes }: ShardCopy, numbers: Int32Array): number {
  let cells = 0
  room(out, 8)
  writeVarint(out, panes.length)
  for (const pane of panes.toSorted((a, b) => a.start - b.start)) {
    assert(Number.isSafeInteger(pane.total) && pane.start >= 0 && pane.end > pane.start, 'a pane is a span with events', {
      start: pane.start,
      end: pane.end,
      total: pane.total,
    })
    let live = 0
    for (let id = nextCounted(pane, 0, limit); id < limit; id = nextCounted(pane, id + 1, limit)) live++
    room(out, 40)
    writeVarint(out, pane.start)
    writeVarint(out, pane.end - pane.start)
    writeVarint(out, (pane.dirty ? TASK_OBJECT.dirty : 0) | (pane.emitted ? TASK_OBJECT.emitted : 0))
    writeVarint(out, pane.total)
    writeVarint(out, live)
    writeCells(out, pane, limit, numbers)
    cells += live
  }
  return cells
}

function writeCells(out: ObjectOutput, pane: PaneCopy, limit: number, numbers: Int32Array): void {
  const { start, total, directory, counts } = pane
  let before = -1
  let sum = 0
  for (let id = nextCounted(pane, 0, limit); id < limit; id = nextCounted(pane, id + 1, limit)) {
    const cell = cellOf(directory, id)
    const impressions = counts[cell]!
    const clicks = counts[cell + CLICKS]!
    room(out, 24)
    const product = numbers[id]!
    writeVarint(out, product - before - 1)
    writeVarint(out, impressions)
    writeVarint(out, clicks)
    before = product
    sum += eventsOf(impressions, clicks)
  }
  assert(sum === total, 'the cells of a pane add up to its events', { start, sum, total })
}

function writeCorrections(out: ObjectOutput, { panes, emittedUpTo = Number.NEGATIVE_INFINITY }: ShardCopy, numbers: Int32Array): number {
  room(out, 16)
  writeVarint(out, Number.isFinite(emittedUpTo) ? emittedUpTo + 1 : 0)
  const groups = panes
    .toSorted((a, b) => a.start - b.start)
    .flatMap(({ corrections }, pane) =>
      corrections === undefined ? [] : groupsOf(corrections, numbers).map((group) => ({ pane, ...group })),
    )
  writeVarint(out, groups.length)
  let cells = 0
  for (const { pane, missed, entries, corrections } of groups) {
    room(out, 24)
    writeVarint(out, pane)
    writeVarint(out, missed)
    writeVarint(out, entries.length)
    let before = -1
    for (const entry of entries) {
      const product = numbers[corrections.ids[entry]!]!
      room(out, 24)
      writeVarint(out, product - before - 1)
      writeVarint(out, corrections.counts[entry << MEASURE_BITS]!)
      writeVarint(out, corrections.counts[(entry << MEASURE_BITS) + CLICKS]!)
      before = product
    }
    cells += entries.length
  }
  return cells
}

/** Entries by how many windows they have missed, and these by product. */
function groupsOf(corrections: CorrectionsCopy, numbers: Int32Array) {
  const { ids, missed } = corrections
  const entries = [...ids.keys()].sort((a, b) => missed[a]! - missed[b]! || numbers[ids[a]!]! - numbers[ids[b]!]!)
  return [...Map.groupBy(entries, (entry) => missed[entry]!)].map(([missed, entries]) => ({ missed, entries, corrections }))
}

/** Makes room for `more` bytes. */
function room(out: ObjectOutput, more: number): void {
  if (out.at + more <= out.bytes.length) return
  const grown = new Uint8Array(Math.max(out.bytes.length * 2, out.at + more))
  grown.set(out.bytes.subarray(0, out.at))
  out.bytes = grown
}

function writeBytes(out: ObjectOutput, bytes: Uint8Array): void {
  room(out, bytes.length)
  out.bytes.set(bytes, out.at)
  out.at += bytes.length
}

/** At most 8 bytes, for which there must be room. */
function writeVarint(out: ObjectOutput, value: number): void {
  const { bytes } = out
  let { at } = out
  let left = value
  while (left > 0x7fff_ffff) {
    bytes[at++] = (left % 128) | 128
    left = Math.floor(left / 128)
  }
  while (left > 127) {
    bytes[at++] = (left & 127) | 128
    left >>>= 7
  }
  bytes[at++] = left
  out.at = at
}
