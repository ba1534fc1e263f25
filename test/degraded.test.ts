import { expect, test } from 'vitest'
import { DEGRADED_MAX, Degradations } from '../src/degraded.ts'

function bench() {
  const time = { now: 1_000 }
  const lines: string[] = []
  const log = { info: (_: object, line: string) => void lines.push(line), warn: (_: object, line: string) => void lines.push(line) }
  return { time, lines, degradations: new Degradations(log, () => time.now) }
}

test('a reason is told once when it begins and once when it is over, however often it is reported', () => {
  const { time, lines, degradations } = bench()
  degradations.report('alignment', 'clicks/3', 'clicks/3 is paused')
  time.now = 2_000
  degradations.report('alignment', 'clicks/3', 'clicks/3 is paused')
  degradations.report('alignment', 'clicks/3', 'clicks/3 is paused still')
  expect(degradations.reasons).toEqual([{ code: 'alignment', subject: 'clicks/3', message: 'clicks/3 is paused still', since: 1_000 }])
  degradations.clear('alignment', 'clicks/3')
  degradations.clear('alignment', 'clicks/3')
  expect(degradations.reasons).toEqual([])
  expect(lines).toEqual(['clicks/3 is paused', 'over: clicks/3 is paused still'])
})

test('whoever looks at everything keeps what is still so', () => {
  const { degradations } = bench()
  for (const subject of ['a/0', 'a/1', 'a/2']) degradations.report('alignment', subject, subject)
  degradations.keepOnly('alignment', new Set(['a/1']))
  expect(degradations.reasons.map(({ subject }) => subject)).toEqual(['a/1'])
})

test('no more are listed than there is room for, the oldest first', () => {
  const { time, degradations } = bench()
  for (let i = 0; i <= DEGRADED_MAX; i++) {
    time.now = i
    degradations.report('alignment', `a/${i}`, 'paused')
  }
  expect(degradations.reasons.map(({ since }) => since)).toEqual(Array.from({ length: DEGRADED_MAX }, (_, i) => i))
})
