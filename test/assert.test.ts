import { expect, test } from 'vitest'
import { assert, BugError, unreachable } from '../src/assert.ts'

test('a failed assertion names the claim and shows the values', () => {
  expect(() => assert(false, 'cursor only grows', { was: 2, is: 1 })).toThrow(new BugError('cursor only grows {"was":2,"is":1}'))
  expect(() => assert(false, 'bare')).toThrow(BugError)
  assert(true, 'holds')
})

test('unreachable throws what it got', () => {
  expect(() => unreachable('x' as never)).toThrow('unreachable: x')
})
