/** Sorted lines against a plain sort, with memory for all of them, for some, and for less than one. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random } from '../../src/load/random.ts'
import { LineSorter } from '../../src/source/line-sorter.ts'
import { repetitions } from '../support/effort.ts'

const ROUNDS = repetitions({ unit: 3, all: 8, long: 40 })

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ctr-sorter-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const keyOf = (bytes: Buffer, start: number, end: number) => Number.parseInt(bytes.toString('latin1', start, end), 10)

async function sorted(lines: readonly string[], memoryBytes: number): Promise<string[]> {
  const sorter = new LineSorter({ keyOf, memoryBytes, directory })
  const out: string[] = []
  try {
    for (const line of lines) {
      const bytes = Buffer.from(`__${line}__`)
      await sorter.add(bytes, 2, bytes.length - 2)
    }
    await sorter.drain((bytes, start, end) => {
      out.push(bytes.toString('utf8', start, end))
      return out.length % 7 === 0 ? Promise.resolve() : undefined
    })
  } finally {
    await sorter.close()
  }
  return out
}

test('lines come out by their keys, those of one key in their order, whatever fits into memory', async () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = new Random(seed)
    const memoryBytes = [1 << 26, 64 * 1024, 1000, 10][seed % 4] ?? 0
    const count = random.below(memoryBytes < 100 ? 1500 : 6000)
    const lines = Array.from({ length: count }, (_, i) => {
      const long = random.chance(0.002) ? 'x'.repeat(random.below(1_200_000)) : ''
      return `${random.below(seed % 2 === 0 ? 20 : 100_000) - 10} ${i} ${long}`
    })
    const wanted = lines.map((line, i) => ({ line, i, key: Number.parseInt(line, 10) })).sort((a, b) => a.key - b.key || a.i - b.i)
    const got = await sorted(lines, memoryBytes)
    expect(got.length, `seed ${seed}`).toBe(lines.length)
    expect(
      got.findIndex((line, i) => line !== wanted[i]?.line),
      `seed ${seed}: the first that differs`,
    ).toBe(-1)
    expect(readdirSync(directory)).toEqual([])
  }
})

test('no lines, and a directory that takes none', async () => {
  expect(await sorted([], 100)).toEqual([])
  const sorter = new LineSorter({ keyOf, memoryBytes: 20, directory: join(directory, 'missing') })
  sorter.add(Buffer.from('1 a'), 0, 3)
  await expect(sorter.add(Buffer.from('2 b'), 0, 3)).rejects.toMatchObject({
    code: 'CTR_INPUT',
    message: expect.stringMatching(/^--sort can't write to .*missing: .*TMPDIR/),
  })
  await sorter.close()
})
