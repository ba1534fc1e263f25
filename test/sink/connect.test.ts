import { ClickHouseError } from '@clickhouse/client'
import { expect, test } from 'vitest'
import { CtrError } from '../../src/errors.ts'
import { clickHouseCode, type Endpoint, explainClickHouse } from '../../src/sink/connect.ts'
import { backoffMs } from '../../src/sink/deliver.ts'

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

test('backoff doubles its bound from 100 ms to 10 s, with full jitter', () => {
  const bounds = Array.from({ length: 10 }, (_, i) => backoffMs(i + 1, () => 1))
  expect(bounds).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000])
  expect(backoffMs(5, () => 0)).toBe(0)
  expect(backoffMs(2000, () => 0.5)).toBe(5000)
})
