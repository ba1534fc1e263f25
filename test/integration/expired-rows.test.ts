/** A bounded run over history that is older than rows are kept: it says so, and fails unless that is allowed. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DAY } from '../../src/config/units.ts'
import { into, merged, runEngine, workFolder } from '../../workshop/engine-process.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const clickhouse = await sharedClickHouse()

/** Ten events of a product at so many days ago, a second apart. */
function events(product: string, days: number): string {
  const from = Date.now() - days * DAY
  const line = (i: number) => JSON.stringify({ product_id: product, user_id: 'u', event_type: 'view', timestamp: from + i * 1000 })
  return Array.from({ length: 10 }, (_, i) => `${line(i)}\n`).join('')
}

test('a replay of windows that may go at once fails, says how many rows, and counts when that is allowed', {
  timeout: 120_000,
}, async () => {
  const endpoint = clickhouse.own('expired')
  const folder = workFolder()
  const config = merged(into({ ...clickhouse, endpoint }, 'default'), { clickhouse: { retention: { results: '30d' } } })
  const file = join(folder, 'history.jsonl')
  writeFileSync(file, events('old', 40) + events('new', 20))
  const products = async () =>
    (await clickhouse.rows<{ id: string }>('SELECT DISTINCT product_id AS id FROM db.ctr_windows ORDER BY id', endpoint.database)).map(
      ({ id }) => id,
    )

  const refused = await runEngine(['replay', file], { folder, config })
  expect(await refused.exit()).toBe(1)
  const told =
    /CTR_INPUT: \d rows were written of windows that ended more than clickhouse\.retention\.results \(30d\) ago: no view shows them/
  expect(refused.complaints.join('\n')).toMatch(told)
  expect(refused.complaints.join('\n')).toContain('or allow it with --allow-expired; nothing of this run counts')
  expect(refused.stdout).toMatch(/rows expired +\d/)
  expect(refused.logs.map(({ degraded }) => degraded)).toContain('expired')
  expect(await products()).toEqual([])

  const allowed = await runEngine(['replay', '--allow-expired', file], { folder, config })
  expect([await allowed.exit(), await products()]).toEqual([0, ['new']])
  expect(allowed.stdout).toMatch(/rows expired +\d/)
  expect(await clickhouse.rows('SELECT sum(missing) AS missing FROM db.ctr_reconciliation', endpoint.database)).toEqual([{ missing: 0 }])

  writeFileSync(file, events('new', 20))
  const young = await runEngine(['replay', file], { folder, config })
  expect([await young.exit(), young.stdout.includes('rows expired')]).toEqual([0, false])
})
