import { expect, test } from 'vitest'
import { MICRO_DEFAULTS, renderMicro, runMicro } from '../../bench/micro.ts'
import { timeStage } from '../../bench/stage.ts'

test('every microbenchmark runs, and gives what it should before it is timed', async () => {
  const report = await runMicro({ ...MICRO_DEFAULTS, quick: true })
  expect(report.stages.length).toBeGreaterThan(20)
  for (const { name, min, median, high, samples } of report.stages) {
    expect([name, min > 0 && min <= median && median <= high, samples > 0]).toEqual([name, true, true])
  }
  expect(renderMicro(report).split('\n')).toHaveLength(report.stages.length + 2)
})

test('timed in earnest, every stage has a thread of its own', async () => {
  const { stages } = await runMicro({ only: 'ring', time: 10, quick: false })
  expect(stages.map(({ name }) => name)).toEqual(['ring: push and pop, one thread', 'ring: to another thread'])
})

test('a stage that gives something else is refused, and closed', async () => {
  let closed = 0
  const close = async () => closed++
  const stage = { name: 'a stage', unit: 'event', units: 1, expected: 1, run: () => 2, close } as const
  await expect(timeStage(stage, { timeMs: 1, warmupMs: 0 })).rejects.toThrow('a stage is wrong')
  expect(closed).toBe(1)
})

test('a part that does not exist is named', async () => {
  await expect(runMicro({ ...MICRO_DEFAULTS, only: 'rings' })).rejects.toThrow(/--only rings: not one of framing, .*ring,/)
})
