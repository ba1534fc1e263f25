/** `ctr replay` over real events, and `ctr query` beside a pipeline that has the embedded ClickHouse open. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { runEngine, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { feed, freshTopics, from, record } from '../support/feed.ts'
import { OTTO_SPAN_MS, OTTO_WINDOW_MS, type OttoWindow, ottoExpected, ottoPath } from '../support/otto.ts'
import { sharedBrokers } from '../support/shared-broker.ts'

const WINDOWS = `SELECT toUnixTimestamp64Milli(window_start), toUnixTimestamp64Milli(window_end), product_id, impressions, clicks
  FROM ctr_windows ORDER BY ALL FORMAT CSV`

async function windows(folder: string, database: string): Promise<string[]> {
  const query = await runEngine(['query', WINDOWS, '--set', `clickhouse.database=${database}`], { folder })
  expect([await query.exit(), query.complaints]).toEqual([0, []])
  return query.stdout.replaceAll('"', '').trimEnd().split('\n').sort()
}

describe('the real events of OTTO', () => {
  const orders: [OttoWindow, 'sorted' | 'file-order', string[]][] = [
    ['10s', 'sorted', []],
    ['1m', 'sorted', []],
    ['1h', 'file-order', ['--set', `time.outOfOrderness=${OTTO_SPAN_MS}ms`]],
    ['1h', 'file-order', ['--sort']],
  ]

  test('give the windows that are expected of them, plain and compressed, in order and out of it', async () => {
    const folder = workFolder()
    for (const [window, order, words] of orders) {
      const gz = join(folder, `${order}.jsonl.gz`)
      writeFileSync(gz, gzipSync(readFileSync(ottoPath(order))))
      const file = window === '1m' ? gz : ottoPath(order)
      const database = `w${window}${words.length}`
      const sets = ['--set', `window.size=${OTTO_WINDOW_MS[window]}ms`, '--set', `clickhouse.database=${database}`]
      const run = await runEngine(['replay', file, ...words, ...sets], { folder })
      expect([await run.exit(), run.complaints]).toEqual([0, []])
      expect(run.stdout).toMatch(/^800 events/m)
      expect(await windows(folder, database)).toEqual(ottoExpected(window))
    }
  })
})

test('ctr query reads the embedded ClickHouse while a pipeline writes to it', async () => {
  const brokers = await sharedBrokers()
  const topics = await freshTopics(brokers, 1)
  const folder = workFolder()
  const config = { ...from(brokers, topics), time: { idleTimeout: '500ms' } }
  const engine = startEngine(['run'], { config, folder })
  await engine.ready()
  const start = Math.floor((Date.now() - 60_000) / 10_000) * 10_000
  for (const product of ['one', 'two']) {
    await feed(brokers, topics, [[record(topics.impressions, product, 'impression', start)]])
    const sql = `SELECT count() FROM ctr_windows WHERE product_id = '${product}'`
    await engine.until(
      `the row of ${product}`,
      async () => (await runEngine(['query', sql, '--format', 'CSV'], { config, folder })).stdout === '1\n',
    )
  }
  expect((await engine.readiness()).status).toBe(200)
  expect([await engine.terminate(), engine.complaints]).toEqual([0, []])
})
