import type { ClickHouseClient } from '@clickhouse/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '../../src/clickhouse/connect.ts'
import { LEDGER } from '../../src/tables/columns.ts'
import { INPUTS_FROM } from '../../src/tables/counting.ts'
import { InputBook } from '../../src/tables/inputs.ts'
import { makeTables } from '../../workshop/tables.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const clickhouse = await sharedClickHouse()
const endpoint = clickhouse.own('inputs')
let client: ClickHouseClient
beforeAll(async () => {
  await makeTables(endpoint)
  client = connect(endpoint, endpoint.database)
})
afterAll(() => client.close())

test('runs that claim at once all have numbers of their own, from the first one on', async () => {
  const claims = await Promise.all(
    Array.from({ length: 6 }, (_, i) => new InputBook(client, `tenant${i % 2}`).claim([`a${i}`, `b${i}`, `c${i}`])),
  )
  for (const [i, claim] of claims.entries()) expect(claim.map(({ name }) => name)).toEqual([`a${i}`, `b${i}`, `c${i}`])
  const numbers = claims.flat().map(({ number }) => number)
  expect(new Set(numbers).size).toBe(18)
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(INPUTS_FROM)
  expect(await new InputBook(client, 'tenant0').counted()).toEqual([])
})

test('of a name the largest number that has ended counts, of each tenant by itself', async () => {
  const [first, second, other] = [new InputBook(client, 'one'), new InputBook(client, 'one'), new InputBook(client, 'two')]
  const [a, b] = [await first.claim(['june']), await second.claim(['june', 'july'])]
  await second.end([{ ...b[0]!, bytes: 2 ** 40, hash: 'two' }])
  await first.end([{ ...a[0]!, bytes: 1, hash: 'one' }])
  const at = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/)
  expect(await first.counted()).toEqual([{ ...b[0], bytes: 2 ** 40, hash: 'two', at }])
  expect(await other.counted()).toEqual([])
})

test('partitions of files that a version without names has replayed are found, those of inputs and of topics are not', async () => {
  const row = (topic: string, partition: number) =>
    `('one', '${topic}', ${partition}, 0, 0, 1, 1, 0, 0, 0, 0, {}, toDateTime64('2026-01-01 00:00:00', 3, 'UTC'), now64(3))`
  const all = [row('files', 0), row('files', 1), row('files', INPUTS_FROM), row('clicks', 2)]
  await clickhouse.command(
    `INSERT INTO db.ctr_ledger (${LEDGER.columns.map(([name]) => name).join()}) VALUES ${all.join()}`,
    endpoint.database,
  )
  expect(await new InputBook(client, 'one').unnamed('files')).toBe(2)
  expect(await new InputBook(client, 'two').unnamed('files')).toBe(0)
})
