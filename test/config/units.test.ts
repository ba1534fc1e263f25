import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { durationsMeant, formatDuration, formatSize, parseDuration, parseSize, timesMeant } from '../../src/config/units.ts'

describe('durations', () => {
  test.each([
    ['10s', 10_000],
    ['500ms', 500],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    [' 1 s ', 1000],
    ['1.1s', 1100],
    ['0', 0],
    [0, 0],
  ])('%j is %d ms', (input, ms) => {
    expect(parseDuration(input)).toBe(ms)
  })

  test.each([
    '',
    's',
    '10 parsecs',
    '-1s',
    '1e3',
    '0.5ms',
    '10S',
    '1s1',
    '1,5s',
    '9'.repeat(20),
    -1,
    1.5,
    1500,
    '250',
    Number.NaN,
    true,
    null,
    undefined,
    [10],
  ])('%j is no duration', (input) => {
    expect(parseDuration(input)).toBeUndefined()
  })

  test('what is formatted reads back as the same number of ms', () => {
    fc.assert(fc.property(fc.nat(2_000_000_000), (ms) => parseDuration(formatDuration(ms)) === ms))
  })

  test('the largest unit that is exact is used', () => {
    expect([0, 1, 999, 1000, 90_000, 3_600_000, 86_400_000].map(formatDuration)).toEqual(['0ms', '1ms', '999ms', '1s', '90s', '1h', '1d'])
  })
})

describe('numbers that may mean two things', () => {
  test.each([
    [5, '5s or 5ms'],
    ['5', '5s or 5ms'],
    ['1.5', '1.5s'],
    ['5s', undefined],
    ['five', undefined],
    [0, '0s or 0ms'],
  ])('of %j the durations that may be meant are %s', (input, meant) => {
    expect(durationsMeant(input)).toBe(meant)
  })

  test('a time since the epoch of ten digits may be seconds, one of thirteen is ms', () => {
    const both = '2025-01-31T12:00:00Z, if it is seconds since the epoch, or 1970-01-21T02:52:04.800Z, if it is ms'
    expect([0, 1, 99_999_999, 1_738_324_800, 100_000_000_000, 1_738_324_800_000].map(timesMeant)).toEqual([
      undefined,
      undefined,
      undefined,
      both,
      undefined,
      undefined,
    ])
  })
})

describe('sizes', () => {
  test.each([
    ['4MiB', 4_194_304],
    ['64KiB', 65_536],
    ['1GiB', 2 ** 30],
    ['0.5KiB', 512],
    ['512B', 512],
    ['512', 512],
    [512, 512],
  ])('%j is %d bytes', (input, bytes) => {
    expect(parseSize(input)).toBe(bytes)
  })

  test.each(['4MB', '4 mib', '1.3B', '-1', 'KiB', -1, {}])('%j is no size', (input) => {
    expect(parseSize(input)).toBeUndefined()
  })

  test('what is formatted reads back as the same number of bytes', () => {
    fc.assert(fc.property(fc.nat(2_000_000_000), (bytes) => parseSize(formatSize(bytes)) === bytes))
  })
})
