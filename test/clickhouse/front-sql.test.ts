import { expect, test } from 'vitest'
import {
  exceptionCode,
  insertFromFile,
  isPlainPath,
  reachesFiles,
  settingsStatement,
  splitInsert,
  statementsOf,
  statusOf,
} from '../../src/clickhouse/front-sql.ts'

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

test.each([
  ["SELECT 1 into\toutfile 'x'", 'into\toutfile'],
  ["INSERT INTO t FROM INFILE 'x' FORMAT CSV", 'FROM INFILE'],
  ["SELECT file ('x')", 'file ('],
  ["SELECT `file`('x')", 'file('],
  ['SELECT "file"(\'x\')', 'file('],
  ["SELECT file/**/('x')", 'file ('],
  ["SELECT 'it\\'s', file('x')", 'file('],
  ["SELECT 'a''b', file('x')", 'file('],
  ["SELECT 1 # '\nINTO OUTFILE 'x' -- '", 'INTO OUTFILE'],
  ["SELECT 1 #! '\nINTO OUTFILE 'x' -- '", 'INTO OUTFILE'],
  ["SELECT ‘ ' ’ INTO OUTFILE 'x' -- '", 'INTO OUTFILE'],
  ['SELECT 1 INTO OUTFILE ‘x’', 'INTO OUTFILE'],
  ['SELECT * FROM “file”(‘x’)', 'file('],
  ["SELECT 1 /* /* */ ' */ INTO OUTFILE 'x' -- '", 'INTO OUTFILE'],
])('%s reaches files', (sql, found) => {
  expect(reachesFiles(sql)).toBe(found)
})

test.each([
  "SELECT 'file(1)'",
  'SELECT 1 -- file(1)',
  'SELECT 1 /* INTO OUTFILE */',
  'SELECT $x$ file(1) $x$',
  'SELECT ‘file(1)’, “a file(1)” # file(1)',
  'SELECT 1 /* /* */ file(1) */ /* file(1)',
  'SELECT file, outfile FROM infile',
  'SELECT myfile(1), a.file (1)',
  'SELECT "a file(1)"',
])('%s reaches none', (sql) => {
  expect(reachesFiles(sql)).toBeUndefined()
})

test.each([
  ['', []],
  [' ;; -- a\n;/* ; */ ', []],
  ['SELECT 1', [1]],
  ['SELECT 1;', [1]],
  ['\nSELECT \';\'; SELECT "a;b", `c;`\n;\n-- d; e\n/* f; /* g; */ ; */ SELECT 2', [2, 2, 5]],
  ['SELECT $a$ ; $a$; SELECT 2', [1, 1]],
  ["INSERT INTO t VALUES (1, ';'); SELECT 2", [1, 1]],
  ['INSERT INTO t FORMAT JSONEachRow\n{"a":"x;y"};\n{"b":1}', [1]],
  ['SELECT 1;\nINSERT INTO t FORMAT CSV\n1;2\n', [1, 2]],
])('%j has statements that begin in lines %j', (text, lines) => {
  const found = statementsOf(text)
  expect(found.map(({ line }) => line)).toEqual(lines)
  // Nothing but comments and semicolons is lost.
  const bare = (sql: string) => sql.replaceAll(/--.*|\/\*[\s\S]*\*\/|[;\s]/g, '')
  expect(bare(found.map(({ sql }) => sql).join(''))).toBe(bare(text))
})
