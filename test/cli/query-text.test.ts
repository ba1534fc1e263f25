import { expect, test } from 'vitest'
import { inWholeText, placeOf, queryText } from '../../src/cli/query-text.ts'
import { temporaryFile } from '../support/config-file.ts'

async function* piped(...chunks: string[]) {
  yield* chunks
}
const nothing = { isTTY: true, [Symbol.asyncIterator]: () => piped() }

test('statements come from the argument, a file, or stdin', async () => {
  const file = temporaryFile('SELECT 1;\nSELECT 2', 'a.sql')
  expect((await queryText('SELECT 1', undefined, nothing)).statements).toEqual([{ sql: 'SELECT 1', line: 1 }])
  expect((await queryText(undefined, file, nothing)).statements.map(({ line }) => line)).toEqual([1, 2])
  for (const [sql, path] of [
    [undefined, undefined],
    ['-', undefined],
    [undefined, '-'],
  ] as const)
    expect(await queryText(sql, path, piped('SELECT 1; SEL', 'ECT 2'))).toMatchObject({ statements: { length: 2 }, source: 'stdin' })
})

test.each([
  [undefined, undefined, ['there is no statement', 'name a file with -f']],
  ['  ', undefined, ['the statement is empty', 'SELECT * FROM ctr_latest']],
  ['-- only a comment', undefined, ['the statement is empty']],
  ['SELECT 1', 'CSV', ['--file CSV and a statement are given', '--format CSV']],
  [undefined, 'nowhere.sql', ['--file nowhere.sql does not exist', '- for stdin']],
  [undefined, '.', ["--file . can't be read"]],
])('of %j and the file %j the message says what is wrong', async (sql, file, says) => {
  const asked = queryText(sql, file, nothing)
  await expect(asked).rejects.toMatchObject({ code: 'CTR_USAGE' })
  for (const part of says) await expect(asked).rejects.toThrow(part)
})

test('nothing piped in is empty', async () => {
  await expect(queryText(undefined, undefined, piped())).rejects.toThrow('stdin is empty')
})

test('a statement of several is named with its line, and ClickHouse’s lines are those of the whole text', () => {
  const text = {
    statements: [
      { sql: 'SELECT 1', line: 1 },
      { sql: '\n\n SELECT\nx', line: 3 },
    ],
    source: 'a.sql',
  }
  expect(placeOf(text, 1)).toBe('statement 2 of 2 (a.sql:3): ')
  expect(placeOf({ ...text, source: undefined }, 1)).toBe('statement 2 of 2 (line 3): ')
  expect(placeOf({ ...text, statements: text.statements.slice(1) }, 0)).toBe('a.sql:3: ')
  expect(placeOf({ statements: text.statements.slice(1), source: undefined }, 0)).toBe('')
  const failed = { statements: [{ sql: 'SELECT\n ü FRM x', line: 8 }], source: undefined }
  const message = (position: number, rest = '') => inWholeText(`Syntax error: failed at position ${position}${rest}`, failed, 0)
  expect(message(12, ' (FRM) (line 2, col 5): FRM x. Expected one of: token, FROM')).toBe('Syntax error: in line 9 at "FRM x"')
  expect(message(17, ' (end of query): . Expected one of: x')).toBe('Syntax error: in line 9 at the end')
  expect(message(1, ' ((): (1. Unmatched parentheses: (.')).toBe('Syntax error: in line 8 at "SELECT", parentheses do not match')
  expect(message(1)).toBe('Syntax error: in line 8 at "SELECT"')
  expect(inWholeText('Table x does not exist', failed, 0)).toBe('Table x does not exist')
})
