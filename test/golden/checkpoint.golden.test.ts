/**
 * Checkpoints on disk stay readable. The bytes are read twice: by the engine, and by a reader written here from the description of the
 * format alone, CRC included.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decodeManifest, encodeManifest } from '../../src/checkpoint/manifest.ts'
import { encodeTask } from '../../src/checkpoint/task-object.ts'
import { decodeTask } from '../../src/checkpoint/task-object-reader.ts'
import { type FACTS, type PlainPane, type PlainShard, plainPanes, shardCopy } from '../support/task-copies.ts'

const load = (name: string) => readFileSync(new URL(`./checkpoint/${name}`, import.meta.url))
const parse = (name: string) => JSON.parse(load(name).toString()) as never

interface Described {
  readonly emittedUpTo?: number
  readonly facts: typeof FACTS
  readonly shards: readonly PlainShard[]
  readonly panes: readonly (PlainPane & { total: number })[]
}

const described: Described = parse('task-v1.json')

function crcBitByBit(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1
  }
  return ~crc >>> 0
}

/** BigInt all the way: slow, plain, and not the engine's arithmetic. */
function* numbersOf(bytes: Uint8Array): Generator<bigint> {
  let value = 0n
  let shift = 0n
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift
    shift += 7n
    if (byte < 0x80) {
      yield value
      value = 0n
      shift = 0n
    }
  }
}

function sectionsOf(file: Buffer, version = 1) {
  expect(file.toString('latin1', 0, 4)).toBe('CTRS')
  expect(file.readUInt16LE(4)).toBe(version)
  expect(file.readUInt16LE(6)).toBe(0)
  const count = file.readUInt32LE(8)
  const table = file.subarray(16, 16 + 16 * count)
  expect(file.readUInt32LE(12)).toBe(crcBitByBit(Buffer.concat([file.subarray(0, 12), table])))
  let at = 16 + 16 * count
  const sections = Array.from({ length: count }, (_, i) => {
    const [kind, size, crc, shard] = [0, 4, 8, 12].map((offset) => table.readUInt32LE(i * 16 + offset)) as [number, number, number, number]
    const bytes = file.subarray(at, at + size)
    expect(crcBitByBit(bytes)).toBe(crc)
    at += size
    return { kind, shard, bytes }
  })
  expect(at).toBe(file.length)
  return sections
}

function productsOf(bytes: Buffer): string[] {
  const numbers = numbersOf(bytes)
  const count = Number(numbers.next().value)
  const lengths = Array.from({ length: count }, () => Number(numbers.next().value))
  let at = bytes.length - lengths.reduce((sum, length) => sum + length, 0)
  return lengths.map((length) => {
    at += length
    return bytes.toString('utf8', at - length, at)
  })
}

function panesOf(bytes: Buffer, products: readonly string[]): PlainPane[] {
  const numbers = numbersOf(bytes)
  const next = () => Number(numbers.next().value)
  return Array.from({ length: next() }, () => {
    const [start, span, flags, total, count] = [next(), next(), next(), next(), next()]
    let product = -1
    const cells = Array.from({ length: count! }, () => {
      product += next() + 1
      return [products[product]!, [next(), next()]] as const
    })
    expect(cells.flatMap(([, pair]) => pair).reduce((sum, value) => sum + value, 0)).toBe(total)
    const emitted = (flags! & 2) !== 0
    return {
      start: start!,
      end: start! + span!,
      dirty: (flags! & 1) !== 0,
      emitted,
      cells: Object.fromEntries(cells) as PlainPane['cells'],
    }
  })
}

describe('version 1', () => {
  test('is read by a reader that knows only the description', () => {
    const [facts, ...rest] = sectionsOf(load('task-v1.ctr'))
    expect(facts?.kind).toBe(1)
    expect(JSON.parse(facts?.bytes.toString() ?? '')).toEqual(described.facts)
    expect(rest.map(({ kind, shard }) => [kind, shard])).toEqual([
      [2, 0],
      [3, 0],
      [2, 1],
      [3, 1],
    ])
    const shards = [0, 2].map((i) => panesOf(rest[i + 1]!.bytes, productsOf(rest[i]!.bytes)))
    const live = (shard: PlainShard) => shard.panes.toSorted((a, b) => a.start - b.start)
    expect(shards).toEqual(described.shards.map(live))
  })

  test('is read by the engine', () => {
    const task = decodeTask(load('task-v1.ctr'))
    expect(task.facts).toEqual(described.facts)
    expect(plainPanes(task)).toEqual(described.panes)
    expect(decodeTask(load('task-v1-empty.ctr'))).toMatchObject({ facts: described.facts, panes: [] })
  })

  test('is what the engine writes', () => {
    const { facts, shards } = described
    const encoded = encodeTask(
      facts,
      shards.map((shard) => shardCopy(facts.task, shard)),
    )
    expect(Buffer.from(encoded.bytes).equals(load('task-v1.ctr'))).toBe(true)
    expect(Buffer.from(encodeTask(facts, []).bytes).equals(load('task-v1-empty.ctr'))).toBe(true)
  })

  test('of the manifest is read, fits its objects, and is what the engine writes', () => {
    const manifest = decodeManifest(load('manifest-v1.json'))
    expect(Buffer.from(encodeManifest(manifest)).equals(load('manifest-v1.json'))).toBe(true)
    const text = load('manifest-v1.json').toString()
    const body = text.slice(0, text.lastIndexOf(',"crc32"'))
    expect(text.slice(body.length)).toBe(`,"crc32":"${crcBitByBit(Buffer.from(body)).toString(16).padStart(8, '0')}"}\n`)
    for (const { object } of manifest.tasks) {
      const name = (object?.cells ?? 0) > 0 ? 'task-v1.ctr' : 'task-v1-empty.ctr'
      expect(decodeTask(load(name), object ?? undefined).facts.partitions).toEqual(manifest.tasks[0]?.partitions)
    }
  })
})

/** By pane and windows missed. */
function correctionsOf(bytes: Buffer, products: readonly string[]) {
  const numbers = numbersOf(bytes)
  const next = () => Number(numbers.next().value)
  const emittedUpTo = next() - 1
  const groups = Array.from({ length: next() }, () => {
    const [pane, missed, count] = [next(), next(), next()]
    let product = -1
    const cells = Array.from({ length: count! }, () => {
      product += next() + 1
      return [products[product]!, [next(), next()]] as const
    })
    return [pane, missed, Object.fromEntries(cells)] as const
  })
  return { emittedUpTo, groups }
}

describe('version 2, of windows that overlap', () => {
  const overlapping: Described = parse('task-v2.json')

  test('is read by a reader that knows only the description', () => {
    const [facts, ...rest] = sectionsOf(load('task-v2.ctr'), 2)
    expect(JSON.parse(facts?.bytes.toString() ?? '')).toEqual(overlapping.facts)
    expect(rest.map(({ kind, shard }) => [kind, shard])).toEqual([0, 1].flatMap((shard) => [2, 3, 4].map((kind) => [kind, shard])))
    for (const [i, shard] of overlapping.shards.entries()) {
      const [names, panes, corrections] = rest.slice(3 * i, 3 * i + 3).map(({ bytes }) => bytes)
      const live = shard.panes.toSorted((a, b) => a.start - b.start)
      expect(panesOf(panes!, productsOf(names!))).toEqual(live.map(({ corrections: _, ...pane }) => pane))
      const groups = live.flatMap((pane, at) =>
        Object.entries(pane.corrections ?? {}).map(([missed, cells]) => [at, Number(missed), cells] as const),
      )
      expect(correctionsOf(corrections!, productsOf(names!))).toEqual({ emittedUpTo: shard.emittedUpTo, groups })
    }
  })

  test('is read by the engine', () => {
    const task = decodeTask(load('task-v2.ctr'))
    expect(task.facts).toEqual(overlapping.facts)
    expect(plainPanes(task)).toEqual(overlapping.panes)
    expect(task.emittedUpTo).toBe(overlapping.emittedUpTo)
  })

  test('is what the engine writes', () => {
    const { facts, shards } = overlapping
    const encoded = encodeTask(
      facts,
      shards.map((shard) => shardCopy(facts.task, shard)),
    )
    expect(Buffer.from(encoded.bytes).equals(load('task-v2.ctr'))).toBe(true)
    expect(encoded.cells).toBe(8)
  })
})
