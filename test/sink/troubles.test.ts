import { ClickHouseError } from '@clickhouse/client'
import { expect, test } from 'vitest'
import { CtrError } from '../../src/errors.ts'
import { Troubles } from '../../src/sink/troubles.ts'

function recorded() {
  const told: string[] = []
  return { told, troubles: new Troubles({ trouble: ({ message }) => told.push(message), recovered: () => told.push('ok') }) }
}
const away = (detail = '') => new CtrError('CTR_CLICKHOUSE_UNREACHABLE', `away${detail}`)
const refusal = (code: number, message: string) =>
  new CtrError('CTR_CLICKHOUSE_REFUSED', message, { cause: new ClickHouseError({ code: String(code), type: 'X', message }) })

test('the same trouble is told once, and its end once', () => {
  const { told, troubles } = recorded()
  troubles.clear('rows')
  troubles.set('rows', away())
  troubles.set('rows', away())
  troubles.clear('rows')
  troubles.clear('rows')
  expect(told).toEqual(['away', 'ok'])
})

test('numbers in the words make no other kind; another code of ClickHouse does, and other words do', () => {
  const { told, troubles } = recorded()
  for (const message of ['300 parts', '301 parts of 12 KiB']) troubles.set('rows', refusal(252, message))
  troubles.set('rows', refusal(241, 'memory'))
  troubles.set('rows', away(' since 10 s'))
  troubles.set('rows', away(' since 20 s'))
  troubles.set('rows', away())
  expect(told).toEqual(['300 parts', 'memory', 'away since 10 s', 'away'])
})

test('a connection that breaks is one kind of trouble, whatever it breaks at', () => {
  const { told, troubles } = recorded()
  for (const how of ['read ECONNRESET', 'write EPIPE', 'socket hang up', 'aborted']) troubles.set('rows', away(` (${how})`))
  troubles.set('rows', away(' (connect ECONNREFUSED)'))
  expect(told).toEqual(['away (read ECONNRESET)', 'away (connect ECONNREFUSED)'])
})

test('trouble of two kinds of work is over when both are out of it, and what is left is told', () => {
  const { told, troubles } = recorded()
  troubles.set('rows', away())
  troubles.set('ledger', away())
  troubles.clear('ledger')
  troubles.set('ledger', refusal(60, 'no table'))
  troubles.clear('ledger')
  troubles.set('ledger', refusal(60, 'no table'))
  troubles.clear('rows')
  troubles.clear('ledger')
  expect(told).toEqual(['away', 'no table', 'away', 'no table', 'ok'])
})
