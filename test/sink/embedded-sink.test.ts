import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runQuery } from '../../src/cli/query.ts'
import { schemaVerb } from '../../src/cli/schema.ts'
import { configSchema } from '../../src/config/schema.ts'
import { gone, silent } from '../../workshop/clickhouse.ts'
import { frontFile } from '../support/ask-front.ts'
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

const front = () => frontFile(directory)!

async function query(sql: string): Promise<string> {
  let text = ''
  const output = new Writable({
    write(chunk: Buffer, _, done) {
      text += chunk.toString()
      done()
    },
  })
  const asked = { statements: [{ sql, line: 1 }], source: undefined }
  await runQuery(configSchema.parse({ clickhouse: { embedded: directory } }), asked, { format: 'TSV' }, output, silent)
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

test('a directory that is removed under a running sink: rows wait, and what is missing is told', async () => {
  await write(0, 5)
  // Rows can be read before their acknowledgement is here; rows without one are sent again.
  await run.barrier(0, 1)
  await until(() => run.barriers.includes(1))
  expect(await query(TOTALS)).toBe('375\t125')
  const { pid } = front()
  rmSync(directory, { recursive: true, force: true })
  await gone(pid)
  await write(5, 9)
  await until(() => run.messages.some((message) => message.includes('ctr schema apply')))
  expect(existsSync(directory)).toBe(true)
  await schemaVerb('apply', { set: [`clickhouse.embedded=${directory}`] }, () => undefined)
  await run.end()
  await run.sink.ended
  expect(await query(TOTALS)).toBe('300\t100')
})
