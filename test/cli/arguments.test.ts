import { expect, test } from 'vitest'
import {
  collect,
  countArgument,
  durationArgument,
  expandKeys,
  positiveArgument,
  shareArgument,
  sizeArgument,
  timeArgument,
} from '../../src/cli/arguments.ts'

test.each([
  ['0', 0],
  ['100000', 100_000],
  ['100_000', 100_000],
  ['100k', 100_000],
  ['1.5M', 1_500_000],
  ['2G', 2_000_000_000],
])('%s is the number %d', (text, value) => {
  expect(countArgument(text)).toBe(value)
})

test.each(['', 'x', '-1', '1.5', '1e3', '0x10', '1kk', '1.0001k'])('%j is no count', (text) => {
  expect(() => countArgument(text)).toThrow('Write a number such as')
})

test('0 is not positive, 1 is', () => {
  expect(() => positiveArgument('0')).toThrow('at least 1')
  expect(positiveArgument('1')).toBe(1)
})

test('durations, sizes, shares and times are read with their units', () => {
  expect(durationArgument('60s')).toBe(60_000)
  expect(sizeArgument('64KiB')).toBe(65_536)
  expect([shareArgument('5%'), shareArgument('0.05'), shareArgument('0'), shareArgument('100%')]).toEqual([0.05, 0.05, 0, 1])
  expect([timeArgument('2025-01-31T12:00:00Z'), timeArgument('1738324800000')]).toEqual([1_738_324_800_000, 1_738_324_800_000])
})

test('a wrong one says how to write it', () => {
  expect(() => durationArgument('soon')).toThrow('Write a duration such as')
  expect(() => sizeArgument('big')).toThrow('Write a size such as')
  expect(() => shareArgument('101%')).toThrow('Write a share such as')
  expect(() => timeArgument('soon')).toThrow('Write a time such as')
})

test('a repeated option gathers its values in order', () => {
  expect(collect('b', collect('a'))).toEqual(['a', 'b'])
})

test('a configuration key may be an option of its own', () => {
  expect(expandKeys(['run', '--log.pretty', '--kafka.brokers=a:1,b:2', '--window.size=1m'])).toEqual([
    'run',
    '--set',
    'log.pretty=true',
    '--set',
    'kafka.brokers=a:1,b:2',
    '--set',
    'window.size=1m',
  ])
})

test('other options, and everything after --, are left alone', () => {
  const words = ['run', '--until-end', '--config', 'a.b', '--rate=1.5', '--', '--log.pretty']
  expect(expandKeys(words)).toEqual(words)
})
