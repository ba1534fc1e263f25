import { describe, expect, test } from 'vitest'
import { inputNames, sameContent } from '../../src/cli/replay-inputs.ts'

describe('the names of inputs', () => {
  test('are those given, else those of the files', () => {
    expect(inputNames(['/a/one.jsonl', 'two.jsonl.gz'], [])).toEqual(['one.jsonl', 'two.jsonl.gz'])
    expect(inputNames(['/a/x', '-'], ['june', 'july'])).toEqual(['june', 'july'])
    expect(inputNames(['x'], ['n'.repeat(255)])).toEqual(['n'.repeat(255)])
  })

  test.each([
    ['stdin without one', ['-'], [], /standard input has no name; give it one with --input/],
    ['fewer than files', ['a', 'b'], ['one'], /--input is given 1 times for 2 files/],
    ['more than files', ['a'], ['one', 'two'], /2 times for 1 files/],
    ['the same base name twice', ['day1/log', 'day2/log'], [], /day1\/log and day2\/log would both be the input log/],
    ['the same name twice', ['a', 'b'], ['x', 'x'], /both be the input x/],
    ['an empty one', ['a'], [''], /"" can't be the name/],
    ['one that is too long', ['a'], ['n'.repeat(256)], /can't be the name/],
    ['control characters', ['a'], ['a\u001b[2J'], /can't be the name/],
  ])('are refused: %s', (_, files, given, message) => {
    expect(() => inputNames(files, given)).toThrow(expect.objectContaining({ code: 'CTR_USAGE', message: expect.stringMatching(message) }))
  })
})

test('the same content counts once, unless it replaces', () => {
  const counted = [{ name: 'june', number: 1, bytes: 2000, hash: 'x', at: '2026-01-01 00:00:00Z' }]
  const input = (name: string, bytes: number, hash: string) => ({ name, bytes, hash })
  expect(sameContent([input('june', 2000, 'x')], counted)).toBeUndefined()
  expect(sameContent([input('july', 2000, 'y'), input('may', 2001, 'x')], counted)).toBeUndefined()
  expect(sameContent([input('july', 2000, 'x')], counted)).toBe(
    'july holds the same 2,000 bytes as the input june, counted 2026-01-01 00:00:00Z: they would count twice',
  )
  // Rotated files: what one of them held before is another's now.
  expect(sameContent([input('june', 5, 'z'), input('july', 2000, 'x')], counted)).toBeUndefined()
  expect(sameContent([input('a', 5, 'z'), input('b', 5, 'z')], [])).toMatch(/^b holds the same 5 bytes as the input a: /)
  expect(sameContent([input('a', 0, 'z'), input('b', 0, 'z')], [])).toBeUndefined()
})
