import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/config/units.ts'

describe('durations', () => {
  test.each([
    ['10s', 10_000],
    ['500ms', 500],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['250', 250],
    [' 1 s ', 1000],
    ['1.1s', 1100],
    ['0', 0],
    [0, 0],
    [1500, 1500],
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
