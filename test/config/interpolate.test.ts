// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${VAR} is the notation under test
import { expect, test } from 'vitest'
import { hasVariable, interpolate } from '../../src/config/interpolate.ts'

const env = { HOST: 'kafka', PORT: '9092', EMPTY: '', REF: '${HOST}' }

test.each([
  ['${HOST}:${PORT}', 'kafka:9092'],
  ['${NONE:localhost:9092}', 'localhost:9092'],
  ['${NONE:}', ''],
  ['${HOST:other}', 'kafka'],
  ['no variable, $HOST, $5', 'no variable, $HOST, $5'],
  ['$${HOST}', '${HOST}'],
  ['$${HOST}-${PORT}', '${HOST}-9092'],
  ['${not a name}', '${not a name}'],
  ['', ''],
])('%j becomes %j', (text, result) => {
  expect(interpolate(text, env)).toMatchObject({ text: result, missing: [] })
})

test('a variable that is empty counts as unset', () => {
  expect(interpolate('${EMPTY:x}', env)).toEqual({ text: 'x', found: [], missing: [] })
  expect(interpolate('${EMPTY}', env).missing).toEqual(['EMPTY'])
})

test('every variable that is not set and has no default is named', () => {
  expect(interpolate('${A}-${HOST}-${B}', env).missing).toEqual(['A', 'B'])
})

test('every variable that is set is named, also one that has a default', () => {
  expect(interpolate('${A:1}-${HOST}-${PORT:1}', env).found).toEqual(['HOST', 'PORT'])
})

test('what a variable holds is not interpolated again', () => {
  expect(interpolate('${REF}', env).text).toBe('${HOST}')
})

test('a text without a reference is told apart cheaply', () => {
  expect([hasVariable('a$b'), hasVariable('${A}')]).toEqual([false, true])
})
