import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runQuery } from '../../src/cli/query.ts'
import type { FrontAddress } from '../../src/clickhouse/front-child.ts'
import { configSchema } from '../../src/config/schema.ts'
import { gone, silent } from '../../workshop/clickhouse.ts'
import { SinkRun, until } from '../support/sink-run.ts'

const T0 = Date.UTC(2024, 0, 2)

let directory: string
let run: SinkRun
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ctr-embedded-'))
  const { clickhouse } = configSchema.parse({ clickhouse: { embedded: directory, batchRows: 50 } })
  run = new SinkRun(clickhouse, 1, 32_768)
  await run.sink.ready
})
afterEach(async () => {
  const { pid } = front()
  await run.sink.stop()
  await gone(pid)
  rmSync(directory, { recursive: true, force: true })
})

const front = () => JSON.parse(readFileSync(join(directory, 'front.json'), 'utf8')) as FrontAddress

async function query(sql: string): Promise<string> {
  let text = ''
  const output = new Writable({
    write(chunk: Buffer, _, done) {
      text += chunk.toString()
      done()
    },
  })
  await runQuery(configSchema.parse({ clickhouse: { embedded: directory } }), sql, 'TSV', output, silent)
  return text.trim()
}

async function write(from: number, to: number): Promise<void> {
  for (let block = from; block < to; block++) {
    const rows = Array.from({ length: 25 }, (_, i) => ({ product: `p-${i}`, start: T0 + block * 10_000, impressions: 3, clicks: 1 }))
    await run.rows(0, rows)
  }
}

const TOTALS = 'SELECT sum(impressions), count() FROM ctr_windows'

test('a query sees what a running sink has written', async () => {
  await write(0, 10)
  await until(async () => (await query(TOTALS)) === '750\t250')
})

test('an embedded ClickHouse killed under a running sink comes back and no row is lost', async () => {
  await write(0, 20)
  const killed = front().pid
  process.kill(killed, 'SIGKILL')
  await write(20, 100)
  await run.end()
  await run.sink.ended
  expect(front().pid).not.toBe(killed)
  expect(await query(TOTALS)).toBe('7500\t2500')
})

test('when it comes back at another port, because somebody took the old one, the sink follows', async () => {
  await write(0, 5)
  await until(async () => (await query(TOTALS)) === '375\t125')
  const { pid, url } = front()
  process.kill(pid, 'SIGKILL')
  await gone(pid)
  const thief = createServer((socket) => void socket.destroy())
  await new Promise<void>((resolve, reject) => thief.once('error', reject).listen(Number(new URL(url).port), '127.0.0.1', resolve))
  await write(5, 20)
  await run.end()
  await run.sink.ended
  expect(front().url).not.toBe(url)
  expect(await query(TOTALS)).toBe('1500\t500')
  thief.close()
})
