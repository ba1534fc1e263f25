/**
 * Reads the object of a task (task-object.ts has the format) and merges its shards. A window that some shard has not emitted yet is not
 * emitted, one that changed in some shard is dirty: its rows then come again, which does no harm, where a row left out would be lost.
 *
 * What doesn't fit in every detail is CTR_CHECKPOINT_CORRUPT. Nothing is believed before its CRC is checked, and nothing allocated before
 * its size is known to fit.
 */
import { crc32 } from 'node:zlib'
import { LIMITS } from '../config/limits.ts'
import { CtrError } from '../errors.ts'
import { shaped } from '../shape.ts'
import { eventsOf } from '../window/measures.ts'
import { type ObjectFacts, type ObjectReference, objectFactsShape } from './manifest.ts'
import { crcOfHead, TASK_OBJECT } from './task-object.ts'

/** Cell i counts product products[i]. */
export interface DecodedCells {
  /** Ascending. */
  readonly products: Uint32Array
  readonly impressions: Float64Array
  readonly clicks: Float64Array
}

/** Corrections in a slice that count in all its windows but the first `missed`. */
export interface DecodedCorrections extends DecodedCells {
  readonly missed: number
}

/** One open slice of a task over all shards. Times in ms. */
export interface DecodedPane extends DecodedCells {
  readonly start: number
  readonly end: number
  readonly dirty: boolean
  readonly emitted: boolean
  readonly total: number
  /** By `missed`; absent without any. */
  readonly corrections?: readonly DecodedCorrections[]
}

/** A task as an object holds it. */
export interface DecodedTask {
  readonly facts: ObjectFacts
  /** Id i is bytes[starts[i], starts[i + 1]). */
  readonly products: { readonly count: number; readonly bytes: Uint8Array; readonly starts: Uint32Array }
  /** By start. */
  readonly panes: readonly DecodedPane[]
  /** Windows that end at this time or before were written, ms; of overlapping windows only, and absent when none was. */
  readonly emittedUpTo?: number | undefined
}

/** What a reader stands on; `fail` is what it throws where the bytes make no sense. */
interface Input {
  readonly bytes: Uint8Array
  at: number
  readonly fail: (reason: string) => CtrError
}

interface Section {
  readonly kind: number
  readonly shard: number
  readonly input: Input
}

/** Sections of a shard, in their order. */
const KINDS: readonly number[] = [TASK_OBJECT.products, TASK_OBJECT.panes, TASK_OBJECT.corrections]
const KIND_NAMES = ['products', 'panes', 'corrections']

interface Products {
  readonly count: number
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
}

/**
 * The task in `bytes`, with every part of it checked, and the whole too when a manifest refers to it. Throws CtrError
 * CTR_CHECKPOINT_CORRUPT, which says what is wrong.
 */
export function decodeTask(bytes: Uint8Array, reference?: ObjectReference): DecodedTask {
  const name = reference?.key ?? 'the task object'
  const fail = (reason: string) => new CtrError('CTR_CHECKPOINT_CORRUPT', `${name}: ${reason}`)
  if (reference !== undefined && bytes.length !== reference.bytes)
    throw fail(`it has ${bytes.length} bytes where its manifest says ${reference.bytes}`)
  const { version, sections } = readSections(bytes, fail)
  const [first, ...rest] = sections
  if (first?.kind !== TASK_OBJECT.facts) throw fail('its first section is not the facts')
  const facts = readFacts(first.input)
  const products: Products[] = []
  const panes: DecodedPane[] = []
  const emitted: number[] = []
  const sectionsOf = version === TASK_OBJECT.versionOverlap ? 3 : 2
  for (let i = 0, base = 0; i < rest.length; i += sectionsOf) {
    const shard = rest.slice(i, i + sectionsOf)
    const [before, after, last] = shard
    if (before === undefined || after === undefined || shard.some(({ kind, shard }, j) => kind !== KINDS[j] || shard !== i / sectionsOf))
      throw fail(`shard ${i / sectionsOf} is not one section each of ${KIND_NAMES.slice(0, sectionsOf).join(', ')}`)
    const own = readProducts(before.input)
    products.push(own)
    const ownPanes = readPanes(after.input, own.count, base)
    const upTo = last && readCorrections(last.input, own.count, base, ownPanes)
    if (upTo !== undefined && ownPanes.length > 0) emitted.push(upTo)
    panes.push(...ownPanes)
    base += own.count
  }
  const emittedUpTo = emitted.length === 0 ? -1 : Math.min(...emitted)
  const task = {
    facts,
    products: joinProducts(products),
    panes: mergePanes(panes, fail),
    ...(emittedUpTo >= 0 && { emittedUpTo }),
  }
  if (reference !== undefined) checkReference(task, bytes, reference, panes, fail)
  return task
}

function checkReference(
  { products }: DecodedTask,
  bytes: Uint8Array,
  reference: ObjectReference,
  panes: readonly DecodedPane[],
  fail: Input['fail'],
): void {
  if (crc32(bytes) !== reference.crc32) throw fail('its checksum is not the one in its manifest')
  const cells = panes.reduce((sum, pane) => sum + cellsOf(pane), 0)
  if (cells !== reference.cells || products.count !== reference.products) throw fail('its counts are not those in its manifest')
}

function readSections(bytes: Uint8Array, fail: Input['fail']): { readonly version: number; readonly sections: Section[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (bytes.length < TASK_OBJECT.headBytes) throw fail(`it has ${bytes.length} bytes, not even a head`)
  if (view.getUint32(0, true) !== TASK_OBJECT.magic) throw fail('it does not begin with CTRS: it is something else')
  const version = view.getUint16(4, true)
  if (version !== TASK_OBJECT.version && version !== TASK_OBJECT.versionOverlap)
    throw fail(`its version is ${version}, this program reads ${TASK_OBJECT.version} and ${TASK_OBJECT.versionOverlap}`)
  if (view.getUint16(6, true) !== 0) throw fail('its reserved bytes are not 0')
  const count = view.getUint32(8, true)
  const headBytes = TASK_OBJECT.headBytes + count * TASK_OBJECT.entryBytes
  if (headBytes > bytes.length) throw fail(`its table of ${count} sections is cut off`)
  if (view.getUint32(12, true) !== crcOfHead(bytes, headBytes)) throw fail('the checksum of its head is wrong')
  const sections: Section[] = []
  let at = headBytes
  for (let entry = TASK_OBJECT.headBytes; entry < headBytes; entry += TASK_OBJECT.entryBytes) {
    const [kind, size, crc, shard] = [0, 4, 8, 12].map((offset) => view.getUint32(entry + offset, true)) as [number, number, number, number]
    const name = `section ${sections.length} (kind ${kind})`
    if (at + size > bytes.length) throw fail(`${name} is cut off`)
    const own = bytes.subarray(at, at + size)
    if (crc32(own) !== crc) throw fail(`the checksum of ${name} is wrong`)
    sections.push({ kind, shard, input: { bytes: own, at: 0, fail: (reason) => fail(`${name}: ${reason}`) } })
    at += size
  }
  if (at !== bytes.length) throw fail(`${bytes.length - at} bytes follow its last section`)
  return { version, sections }
}

function readFacts({ bytes, fail }: Input): ObjectFacts {
  let input: unknown
  try {
    input = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (error) {
    throw fail(`it is not JSON: ${(error as Error).message}`)
  }
  const { value: facts, fault } = shaped(objectFactsShape, input)
  if (fault !== undefined) throw fail(fault)
  return facts
}

function readProducts(input: Input): Products {
  const count = readVarint(input)
  if (count > input.bytes.length) throw input.fail(`${count} products don't fit in it`)
  const starts = new Uint32Array(count + 1)
  let end = 0
  for (let i = 0; i < count; i++) {
    const length = readVarint(input)
    if (length < 1 || length > LIMITS.productIdMaxBytes) throw input.fail(`a product id has ${length} bytes`)
    end += length
    starts[i + 1] = end
  }
  if (input.at + end !== input.bytes.length) throw input.fail('its product ids take more or less room than there is')
  return { count, bytes: input.bytes.subarray(input.at), starts }
}

function joinProducts(parts: readonly Products[]): Products {
  const count = parts.reduce((sum, part) => sum + part.count, 0)
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.bytes.length, 0))
  const starts = new Uint32Array(count + 1)
  let at = 0
  let end = 0
  for (const part of parts) {
    bytes.set(part.bytes, end)
    for (let i = 0; i < part.count; i++) starts[at + i] = end + part.starts[i]!
    at += part.count
    end += part.bytes.length
  }
  starts[count] = end
  return { count, bytes, starts }
}

/** The panes of one shard, whose products begin at `base` of the task's. */
function readPanes(input: Input, products: number, base: number): DecodedPane[] {
  const panes: DecodedPane[] = []
  const count = readVarint(input)
  let previous = -1
  for (let i = 0; i < count; i++) {
    const start = readVarint(input)
    const end = start + readVarint(input)
    const flags = readVarint(input)
    const total = readVarint(input)
    const cells = readVarint(input)
    if (start <= previous || end <= start || end > LIMITS.eventTimeEndMs + LIMITS.windowMaxMs)
      throw input.fail(`pane ${i} is from ${start} to ${end}`)
    if (flags > (TASK_OBJECT.dirty | TASK_OBJECT.emitted)) throw input.fail(`pane ${i} has the unknown flags ${flags}`)
    if (cells > products) throw input.fail(`pane ${i} has ${cells} cells of ${products} products`)
    panes.push({
      start,
      end,
      dirty: (flags & TASK_OBJECT.dirty) !== 0,
      emitted: (flags & TASK_OBJECT.emitted) !== 0,
      total,
      ...readCells(input, cells, products, base),
    })
    if (sumOf(panes.at(-1)!) !== total) throw input.fail(`the cells of pane ${i} don't add up to its ${total} events`)
    previous = start
  }
  if (input.at !== input.bytes.length) throw input.fail(`${input.bytes.length - input.at} bytes follow its last pane`)
  return panes
}

/** Puts the corrections of one shard into its panes; returns up to where windows were written, ms, or -1. */
function readCorrections(input: Input, products: number, base: number, panes: DecodedPane[]): number {
  const emittedUpTo = readVarint(input) - 1
  for (let groups = readVarint(input); groups > 0; groups--) {
    const at = readVarint(input)
    const missed = readVarint(input)
    const cells = readVarint(input)
    const pane = panes[at]
    if (pane === undefined) throw input.fail(`corrections are of pane ${at} of ${panes.length}`)
    const before = pane.corrections ?? []
    if (missed <= (before.at(-1)?.missed ?? 0) || missed >= LIMITS.windowsPerEventMax)
      throw input.fail(`corrections of pane ${at} have missed ${missed} windows`)
    if (cells > products) throw input.fail(`${cells} corrections of ${products} products in pane ${at}`)
    panes[at] = { ...pane, corrections: [...before, { missed, ...readCells(input, cells, products, base) }] }
  }
  if (input.at !== input.bytes.length) throw input.fail(`${input.bytes.length - input.at} bytes follow its last correction`)
  return emittedUpTo
}

function readCells(input: Input, cells: number, count: number, base: number): DecodedCells {
  const products = new Uint32Array(cells)
  const impressions = new Float64Array(cells)
  const clicks = new Float64Array(cells)
  let product = -1
  for (let i = 0; i < cells; i++) {
    product += readVarint(input) + 1
    if (product >= count) throw input.fail(`a cell is of product ${product} of ${count}`)
    products[i] = base + product
    impressions[i] = readVarint(input)
    clicks[i] = readVarint(input)
    if (eventsOf(impressions[i]!, clicks[i]!) === 0) throw input.fail('a cell has counted nothing')
  }
  return { products, impressions, clicks }
}

function sumOf({ impressions, clicks }: DecodedCells): number {
  let sum = 0
  for (let i = 0; i < impressions.length; i++) sum += eventsOf(impressions[i]!, clicks[i]!)
  return sum
}

/** One pane for each start. Parts come in the order of their shards, so product numbers stay ascending. */
function mergePanes(parts: readonly DecodedPane[], fail: Input['fail']): DecodedPane[] {
  const merged: DecodedPane[] = []
  for (const [start, same] of [...Map.groupBy(parts, (part) => part.start)].sort(([a], [b]) => a - b)) {
    const [first, ...others] = same as [DecodedPane, ...DecodedPane[]]
    if (others.some(({ end }) => end !== first.end)) throw fail(`its shards disagree about the end of the window at ${start}`)
    if (others.length === 0) merged.push(first)
    else
      merged.push({
        start,
        end: first.end,
        dirty: same.some(({ dirty }) => dirty),
        emitted: same.every(({ emitted }) => emitted),
        total: same.reduce((sum, { total }) => sum + total, 0),
        ...joinCells(same),
        ...correctionsOf(same.flatMap(({ corrections = [] }) => corrections)),
      })
  }
  return merged
}

function correctionsOf(parts: readonly DecodedCorrections[]): Pick<DecodedPane, 'corrections'> {
  if (parts.length === 0) return {}
  const groups = [...Map.groupBy(parts, ({ missed }) => missed)].sort(([a], [b]) => a - b)
  return { corrections: groups.map(([missed, same]) => ({ missed, ...joinCells(same) })) }
}

function joinCells(parts: readonly DecodedCells[]): DecodedCells {
  return {
    products: joined(Uint32Array, parts, 'products'),
    impressions: joined(Float64Array, parts, 'impressions'),
    clicks: joined(Float64Array, parts, 'clicks'),
  }
}

function joined<T extends Uint32Array | Float64Array>(
  array: new (length: number) => T,
  parts: readonly DecodedCells[],
  column: keyof DecodedCells,
): T {
  const all = new array(parts.reduce((sum, part) => sum + part[column].length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part[column], at)
    at += part[column].length
  }
  return all
}

function cellsOf({ products, corrections = [] }: DecodedPane): number {
  return corrections.reduce((sum, cells) => sum + cells.products.length, products.length)
}

function readVarint(input: Input): number {
  const { bytes } = input
  let value = 0
  let scale = 1
  for (let i = 0; i < 8; i++) {
    const byte = bytes[input.at++]
    if (byte === undefined) throw input.fail('it ends in the middle of a number')
    value += (byte & 127) * scale
    if (byte < 128) {
      if (value > Number.MAX_SAFE_INTEGER) break
      return value
    }
    scale *= 128
  }
  throw input.fail('a number in it is over 2^53')
}
