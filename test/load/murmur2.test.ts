import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { partitionOf } from '../../src/load/generated-partitions.ts'
import { murmur2 } from '../../src/load/murmur2.ts'
import { Random } from '../../src/load/random.ts'

const kafkajsMurmur2 = createRequire(import.meta.url)('kafkajs/src/producer/partitioners/default/murmur2')

test('the hash is that of the Java client, by its published values', () => {
  const known: [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ]
  for (const [key, hash] of known) expect([key, murmur2(Buffer.from(key))]).toEqual([key, hash])
})

test('the hash is that of kafkajs for random keys of any length', () => {
  const random = new Random(5)
  for (let round = 0; round < 500; round++) {
    const key = Buffer.from(Array.from({ length: random.below(40) }, () => random.below(256)))
    expect(murmur2(key)).toBe(kafkajsMurmur2(key))
  }
})

test('a key has the same partition each time, in range', () => {
  for (let index = 0; index < 100; index++) {
    const partition = partitionOf(Buffer.from(`p-${index}`), 7)
    expect(partition).toBe(partitionOf(Buffer.from(`p-${index}`), 7))
    expect(partition >= 0 && partition < 7).toBe(true)
  }
})
