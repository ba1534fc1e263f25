import { expect, test } from 'vitest'
import { CopyMemory } from '../../src/checkpoint/copy-memory.ts'

const counts = (length: number) => Uint32Array.from({ length }, (_, i) => i + 1)

test('a copy holds what it was made of, at the start of its memory, whatever the memory held before', () => {
  const memory = new CopyMemory()
  const buffer = new ArrayBuffer(4096)
  new Uint8Array(buffer).fill(0xee)
  memory.refill([buffer])
  const copy = memory.copy(counts(100), 70)
  expect(copy.buffer).toBe(buffer)
  expect([copy.byteOffset, copy.length, [...copy]]).toEqual([0, 70, [...counts(70)]])
  const doubles = memory.copy(Float64Array.of(0.5, -1), 2)
  expect([doubles instanceof Float64Array, ...doubles]).toEqual([true, 0.5, -1])
  expect(memory.copy(new Uint8Array(0), 0).length).toBe(0)
})

test('each piece of memory serves one copy, the smallest that fits first', () => {
  const memory = new CopyMemory()
  const [small, middle, large] = [4096, 8192, 16_384].map((bytes) => new ArrayBuffer(bytes)) as [ArrayBuffer, ArrayBuffer, ArrayBuffer]
  memory.refill([large, small, middle])
  const made = [2000, 1024, 1000, 2048].map((length) => memory.copy(counts(length), length).buffer)
  expect(made[0]).toBe(middle)
  expect(made[1]).toBe(small)
  expect(made[2] === large).toBe(false) // more than four times what is needed
  expect(made[3]).toBe(large)
})

test('memory that is far too large, or was not needed last time, is let go', () => {
  const memory = new CopyMemory()
  const huge = new ArrayBuffer(1 << 20)
  memory.refill([huge])
  expect(memory.copy(counts(10_000), 10_000).buffer).not.toBe(huge)
  memory.refill([])
  expect(memory.copy(counts(200_000), 200_000).buffer).not.toBe(huge)
})

test('what grows a little finds room in what it had', () => {
  const memory = new CopyMemory()
  const { buffer } = memory.copy(counts(1_000_000), 1_000_000)
  memory.refill([buffer])
  expect(memory.copy(counts(1_040_000), 1_040_000).buffer).toBe(buffer)
})
