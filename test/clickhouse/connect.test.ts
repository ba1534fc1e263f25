import { ClickHouseError } from '@clickhouse/client'
import { expect, test } from 'vitest'
import { CONTENT, DENIED, PASSING } from '../../src/clickhouse/codes.ts'
import { clickHouseCode, clickHouseReason, type Endpoint, explainClickHouse, isAway } from '../../src/clickhouse/connect.ts'
import { CtrError } from '../../src/errors.ts'

const endpoint: Endpoint = {
  url: 'http://db:8123',
  username: 'writer',
  password: 'secret',
  database: 'ctr',
  requestTimeoutMs: 1,
  compression: false,
}
const refusal = (code: number, type = 'SOME_TYPE') => new ClickHouseError({ code: String(code), type, message: 'said so. ' })

test.each([
  [refusal(159), 'CTR_CLICKHOUSE_REFUSED', true],
  [refusal(202), 'CTR_CLICKHOUSE_REFUSED', true],
  [refusal(241), 'CTR_CLICKHOUSE_REFUSED', true],
  [refusal(252), 'CTR_CLICKHOUSE_REFUSED', true],
  [refusal(242), 'CTR_CLICKHOUSE_REFUSED', true],
  [refusal(733), 'CTR_CLICKHOUSE_REFUSED', true],
  [refusal(745), 'CTR_CLICKHOUSE_REFUSED', true],
  [refusal(164), 'CTR_CLICKHOUSE_REFUSED', false],
  [refusal(469), 'CTR_CLICKHOUSE_REFUSED', false],
  [refusal(16), 'CTR_CLICKHOUSE_REFUSED', false],
  [refusal(27), 'CTR_CLICKHOUSE_REFUSED', false],
  [refusal(60), 'CTR_CLICKHOUSE_REFUSED', false],
  [refusal(81), 'CTR_CLICKHOUSE_REFUSED', false],
  [refusal(516), 'CTR_CLICKHOUSE_AUTH', false],
  [refusal(497), 'CTR_CLICKHOUSE_AUTH', false],
  [new Error('upstream is busy'), 'CTR_CLICKHOUSE_UNREACHABLE', true],
  [new Error('Timeout error.'), 'CTR_CLICKHOUSE_UNREACHABLE', true],
  [Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }), 'CTR_CLICKHOUSE_UNREACHABLE', true],
  [Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }), 'CTR_CLICKHOUSE_UNREACHABLE', true],
  [Object.assign(new Error('x'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' }), 'CTR_CONFIG', false],
  [Object.assign(new Error('x'), { code: 'ERR_SSL_WRONG_VERSION_NUMBER' }), 'CTR_CONFIG', false],
])('%s means %s, retriable: %s', (error, code, retriable) => {
  const explained = explainClickHouse(error, endpoint)
  expect([explained.code, explained.retriable, explained.cause]).toEqual([code, retriable, error])
  expect(explained.message).toMatch(/^(clickhouse\.\w+|ClickHouse at http:\/\/db:8123 refuses)/)
  expect(explained.message).not.toContain('secret')
})

test('a full disk is told with what to do', () => {
  expect(explainClickHouse(refusal(243, 'NOT_ENOUGH_SPACE'), endpoint).message).toMatch(/243 NOT_ENOUGH_SPACE.*make room there$/)
})

test('what is explained already stays as it is', () => {
  const error = new CtrError('CTR_CONFIG', 'x')
  expect(explainClickHouse(error, endpoint)).toBe(error)
})

test('an error without words is told by its code', () => {
  const error = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })
  expect(explainClickHouse(error, endpoint).message).toContain('does not answer (ECONNREFUSED)')
})

test('ClickHouse’s code is found through our own error', () => {
  expect(clickHouseCode(explainClickHouse(refusal(252), endpoint))).toBe(252)
  expect(clickHouseCode(new Error('x'))).toBe(0)
})

test('what ClickHouse says is one line of at most 500 characters, behind its code, also through our own error', () => {
  const said = new ClickHouseError({ code: '469', type: 'VIOLATED_CONSTRAINT', message: ` Constraint \n  c ${'x'.repeat(600)}` })
  expect(clickHouseReason(said)).toBe(`469 VIOLATED_CONSTRAINT: Constraint c ${'x'.repeat(600)}`.slice(0, 500))
  expect(clickHouseReason(explainClickHouse(said, endpoint))).toBe(clickHouseReason(said))
  expect(clickHouseReason(new Error('broken'))).toBe('broken')
})

test('a server is away when nothing could be sent', () => {
  const errors = ['ECONNREFUSED', 'ENOTFOUND', 'ECONNRESET', 'EPIPE'].map((code) => isAway(Object.assign(new Error('x'), { code })))
  expect([...errors, isAway(new Error('Timeout error.')), isAway(refusal(60))]).toEqual([true, true, false, false, false, false])
})

test('no code both passes and speaks of content, or of the user', () => {
  const codes = [...PASSING, ...DENIED, ...CONTENT]
  expect(new Set(codes).size).toBe(codes.length)
})
