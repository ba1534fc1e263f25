import { expect, onTestFinished, test, vi } from 'vitest'
import type { StateRules } from '../../src/checkpoint/manifest.ts'
import { Restorer } from '../../src/checkpoint/restore.ts'
import type { OfferedPartition } from '../../src/source/source.ts'

const RULES = { windowType: 'tumbling', windowSize: 10_000, outOfOrderness: 0, allowedLateness: 0, topics: ['a'], tenant: 't' }

async function warnings(rules: Partial<StateRules>, origin: OfferedPartition['origin'], position: number): Promise<string[]> {
  const warned: string[] = []
  const log = { info: () => undefined, warn: (_: object, message: string) => void warned.push(message) }
  const wish = { from: 'latest', ignoreState: false } as const
  const restorer = new Restorer({ open: async () => undefined, group: 'g', rules: { ...RULES, ...rules }, wish, log })
  await restorer.find([
    { topicIndex: 0, partition: 0, position, maxEventTime: undefined, endOffset: undefined, earliest: position, latest: 100, origin },
  ])
  return warned
}

test('a revision without its first window is warned of where windows may be read in part', async () => {
  for (const origin of ['asked', 'foreign', 'none'] as const) {
    expect(await warnings({ revision: 1 }, origin, 5)).toEqual([expect.stringMatching(/Set sink\.revisionFrom to a window behind/)])
    expect(await warnings({ revision: 1 }, origin, 0)).toEqual([])
    expect(await warnings({ revision: 1, revisionFrom: 5 }, origin, 5)).toEqual([])
    expect(await warnings({ revision: 0 }, origin, 5)).toEqual([])
  }
  expect(await warnings({ revision: 1 }, 'mark', 5)).toEqual([])
})

test('a store that says nothing is told within seconds, and done without after a minute', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const warned: string[] = []
  const log = { info: () => undefined, warn: (_: object, message: string) => void warned.push(message) }
  const wish = { from: 'latest', ignoreState: false } as const
  const restorer = new Restorer({ open: () => new Promise(() => {}), group: 'g', rules: RULES, wish, log })
  const found = restorer.find([
    { topicIndex: 0, partition: 0, position: 0, maxEventTime: undefined, endOffset: undefined, earliest: 0, latest: 1, origin: 'none' },
  ])
  await vi.advanceTimersByTimeAsync(2_999)
  expect(warned).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(warned).toEqual([expect.stringMatching(/^checkpoint\.storage: the tasks have waited 3 s .*checkpoint\.s3\.endpoint/)])
  await vi.advanceTimersByTimeAsync(57_000)
  expect((await found).get(0)?.kept).toBeUndefined()
  expect(warned).toHaveLength(2)
})
