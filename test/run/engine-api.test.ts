/** The API of an engine: on a machine whose clock is set, and the window that it names next. */
import { expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { History } from '../../src/history/history.ts'
import { createLogger } from '../../src/log.ts'
import { engineApi } from '../../src/run/engine-api.ts'
import { someStats } from '../../workshop/stats.ts'

const NOW = 1_800_000_000_000

test('answers are of now, and the history goes on, when the wall clock is set back by an hour', async () => {
  const time = { wall: NOW, monotonic: 0 }
  const history = new History()
  const config = loadConfig({ env: {} })
  let reads = 0
  const { api, close } = engineApi({
    config,
    version: '1.0.0',
    log: createLogger({ ...config.log, level: 'silent' }),
    clock: () => time.wall,
    monotonic: () => time.monotonic,
    read: async () => someStats({ terms: { counted: 100 * ++reads, late: 0, invalid: 0, ignored: 0 } }),
    history,
  })
  onTestFinished(close)
  const inASecond = () => {
    time.wall += 1_000
    time.monotonic += 1_000
    return api.state({})
  }
  for (let i = 0; i < 5; i++) await inASecond()
  time.wall -= 3_600_000
  const before = reads
  expect(Date.parse((await inASecond())!.at)).toBe(time.wall)
  for (let i = 0; i < 4; i++) await inASecond()
  expect(reads).toBe(before + 5)
  const rates = history.totals('15m', time.wall).columns[0] ?? []
  expect([...rates].filter((rate) => !Number.isNaN(rate))).toEqual([100, 100, 100, 100])
  expect((await inASecond())!.rates.recordsPerSecond).toBe(100)
})

const DAY_MS = 86_400_000
const TEN = ['window.size=10s']
const MIDNIGHT = Date.UTC(2026, 5, 1)

test.each([
  ['at the start of a window, its own', TEN, [0], 0, 10_000],
  ['just before an end, that one', TEN, [9_999], 0, 10_000],
  ['at an end, the one after it', TEN, [10_000], 10_000, 20_000],
  ['of the task that is furthest behind', TEN, [25_000, 12_000], 10_000, 20_000],
  ['with an offset', [...TEN, 'window.offset=3s'], [12_000], 3_000, 13_000],
  ['of windows that overlap, the first to end', [...TEN, 'window.type=sliding', 'window.slide=4s'], [1], -8_000, 2_000],
  ['of days', ['window.type=calendar', 'window.unit=day', 'window.zone=UTC'], [1], 0, DAY_MS],
])('the window whose rows come next is, %s', async (_, sets, watermarks, start, end) => {
  const config = loadConfig({ env: {}, sets })
  const tasks = watermarks.map((watermark, task) => ({ task, watermark: MIDNIGHT + watermark }))
  const { api, close } = engineApi({
    config,
    version: '1.0.0',
    log: createLogger({ ...config.log, level: 'silent' }),
    clock: () => MIDNIGHT,
    monotonic: () => 0,
    read: async () => someStats({ tasks: [...tasks, { task: 9, watermark: undefined }] }),
    history: new History(),
  })
  onTestFinished(close)
  const { nextWindow } = (await api.state({}))!
  expect(nextWindow).toEqual({
    start: new Date(MIDNIGHT + start).toISOString(),
    end: new Date(MIDNIGHT + end).toISOString(),
    inSeconds: (end - Math.min(...watermarks)) / 1000,
  })
})
