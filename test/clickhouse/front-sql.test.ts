import { expect, test } from 'vitest'
import { exceptionCode, insertFromFile, isPlainPath, settingsStatement, splitInsert, statusOf } from '../../src/clickhouse/front-sql.ts'

test.each([
  ['INSERT INTO t FORMAT CSV', { head: 'INSERT INTO t', settings: '', format: 'CSV', data: '' }],
  ['insert into db.t (a, b) format RowBinary', { head: 'insert into db.t (a, b)', settings: '', format: 'RowBinary', data: '' }],
  [
    'INSERT INTO t SETTINGS async_insert=0 FORMAT CSV\n1,2\n\n3,4',
    { head: 'INSERT INTO t', settings: ' SETTINGS async_insert=0', format: 'CSV', data: '1,2\n\n3,4' },
  ],
  ["INSERT INTO t VALUES (1, 'FORMAT CSV')", { head: 'INSERT INTO t', settings: '', format: 'Values', data: "(1, 'FORMAT CSV')" }],
  ['INSERT INTO t (a) VALUES(1)', { head: 'INSERT INTO t (a)', settings: '', format: 'Values', data: '(1)' }],
  ['\n INSERT INTO `t` FORMAT JSONEachRow {"a":1}', { head: '\n INSERT INTO `t`', settings: '', format: 'JSONEachRow', data: '{"a":1}' }],
])('an insert is cut where its data goes: %s', (sql, parts) => {
  expect(splitInsert(sql)).toEqual(parts)
})

test.each([
  'SELECT 1 FORMAT CSV',
  'INSERT INTO t SELECT 1 FORMAT CSV',
  "INSERT INTO t FROM INFILE 'x' FORMAT CSV",
  "INSERT INTO FUNCTION file('x') FORMAT CSV",
  'SELECT 1; INSERT INTO t FORMAT CSV',
  'INSERT INTO t',
  '',
])('what is no insert with data is left as it is: %s', (sql) => {
  expect(splitInsert(sql)).toBeUndefined()
})

test('data from a file keeps the settings where the engine reads them', () => {
  expect(insertFromFile({ head: 'INSERT INTO t', settings: ' SETTINGS a=1', format: 'CSV', data: '' }, "/tmp/it's")).toBe(
    "INSERT INTO t FROM INFILE '/tmp/it\\'s' COMPRESSION 'none' SETTINGS a=1 FORMAT CSV",
  )
})

test('a path that the engine would take for a pattern is not plain', () => {
  expect(isPlainPath('/var/lib/ctr data/x-1_2.3')).toBe(true)
  for (const c of "*?{}[]\\'\n") expect(isPlainPath(`/tmp/a${c}b`)).toBe(false)
})

test('parameters are settings unless the HTTP interface has a meaning for them', () => {
  expect(settingsStatement(new URLSearchParams('query=x&database=d&query_id=1&wait_end_of_query=1'))).toBeUndefined()
  expect(settingsStatement(new URLSearchParams("max_threads=2&param_a=it's"))).toBe("SET max_threads = '2', param_a = 'it\\'s'")
  expect(() => settingsStatement(new URLSearchParams('a b=1'))).toThrow('Code: 115.')
})

test('codes and statuses follow ClickHouse', () => {
  expect(exceptionCode('Code: 60. DB::Exception: x')).toBe(60)
  expect(exceptionCode('boom')).toBe(1002)
  expect([194, 516, 497, 60, 81, 62, 27, 159, 48, 241, 1002].map(statusOf)).toEqual([401, 403, 403, 404, 404, 400, 400, 408, 501, 500, 500])
})
