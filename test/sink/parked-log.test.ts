import { expect, test } from 'vitest'
import type { ParkedRow } from '../../src/sink/deliver.ts'
import { parkedLog } from '../../src/sink/parked-log.ts'

const row = (code: number): ParkedRow => ({
  tenant: 'default',
  productId: 'secret',
  windowStart: 0,
  windowEnd: 10_000,
  task: 3,
  impressions: 1,
  clicks: 0,
  ctr: 0,
  version: 1,
  emittedAt: 1,
  code,
  reason: `${code} BECAUSE`,
})

test('each code of ClickHouse has five lines a minute, and then five more', () => {
  const lines: [object, string][] = []
  let now = 1_000
  const log = parkedLog({ error: (values, message) => void lines.push([values, message]) }, () => now)
  log(Array.from({ length: 4 }, () => row(469)))
  log(Array.from({ length: 100 }, () => row(469)))
  log([row(395)])
  expect(lines.map(([, message]) => /\((\d+)/.exec(message)?.[1])).toEqual(['469', '469', '469', '469', '469', '395'])
  expect(lines.map(([, message]) => message.endsWith('; no more of this kind for a minute'))).toEqual([
    false,
    false,
    false,
    false,
    true,
    false,
  ])
  now += 59_999
  log([row(469)])
  expect(lines.length).toBe(6)
  now += 1
  log([row(469)])
  expect(lines.length).toBe(7)
  expect(lines[6]).toEqual([
    {
      code: 'CTR_CLICKHOUSE_REFUSED',
      clickhouse: 469,
      task: 3,
      windowStart: '1970-01-01T00:00:00.000Z',
      windowEnd: '1970-01-01T00:00:10.000Z',
    },
    'a row is parked in the dead letters, its window is incomplete: ClickHouse refuses it (469 BECAUSE)',
  ])
})
