import { expect, test } from 'vitest'
import { findingOf, NotLooked, ok, skipped, together, warning } from '../../src/doctor/finding.ts'
import { CtrError } from '../../src/errors.ts'

test('a failure of a start keeps its words: what was found, and behind the last semicolon what to do', () => {
  const error = new CtrError('CTR_KAFKA_AUTH', 'kafka.brokers a:1: refused: no; really; check the password')
  const finding = findingOf(error)
  expect(finding).toEqual({
    verdict: 'fault',
    found: 'kafka.brokers a:1: refused: no; really',
    remedy: 'check the password',
    code: 'CTR_KAFKA_AUTH',
  })
  expect(`${finding.found}; ${finding.remedy}`).toBe(error.message)
})

test('a list below a message stays with what was found', () => {
  const finding = findingOf(new CtrError('CTR_CONFIG', 'it needs 2GiB: more; lower it\n  1GiB  rings\n  1GiB  rest'))
  expect(finding).toMatchObject({ found: 'it needs 2GiB: more\n  1GiB  rings\n  1GiB  rest', remedy: 'lower it' })
})

test('a message without a remedy has none', () => {
  expect(findingOf(new CtrError('CTR_CONFIG', 'no'))).toEqual({ verdict: 'fault', found: 'no', code: 'CTR_CONFIG' })
})

test('what depends on another check is skipped, and an unknown error is a bug', () => {
  expect(findingOf(new NotLooked('no broker answers'))).toEqual(skipped('no broker answers'))
  expect(findingOf(new TypeError('x is not a function'))).toMatchObject({ verdict: 'fault', remedy: 'this is a bug, please report it' })
})

test('of several findings the worst counts, with all that are as bad', () => {
  const findings = [ok('a'), warning('b', 'mend b'), warning('c', 'mend c'), warning('c', 'mend c'), skipped('d')]
  expect(together(findings)).toEqual({ verdict: 'warning', found: 'b; c', remedy: 'mend b\nmend c' })
  expect(together([ok('a'), skipped('d'), ok('b')])).toEqual(ok('a; b'))
  expect(together([])).toMatchObject({ verdict: 'skipped' })
})
