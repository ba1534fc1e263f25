import { expect, test } from 'vitest'
import {
  collect,
  countArgument,
  durationArgument,
  expandKeys,
  isBareKey,
  patienceArgument,
  positiveArgument,
  shareArgument,
  sizeArgument,
  timeArgument,
} from '../../src/cli/arguments.ts'
import { createProgram } from '../../src/cli/program.ts'
import { KEYS } from '../../src/config/catalog.ts'

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

test('a time to wait is from 1 ms to a day', () => {
  for (const text of ['0', '0s', '86400001ms', '25d'])
    expect(() => patienceArgument(text)).toThrow('at least 1ms and at most 1d, such as 10m')
  expect([patienceArgument('1ms'), patienceArgument('1d')]).toEqual([1, 86_400_000])
  expect(() => patienceArgument('soon')).toThrow('Write a duration such as')
})

test('durations, sizes, shares and times are read with their units', () => {
  expect(durationArgument('60s')).toBe(60_000)
  expect(sizeArgument('64KiB')).toBe(65_536)
  expect([shareArgument('5%'), shareArgument('0.05'), shareArgument('0'), shareArgument('100%')]).toEqual([0.05, 0.05, 0, 1])
  expect([timeArgument('2025-01-31T12:00:00Z'), timeArgument('1738324800000')]).toEqual([1_738_324_800_000, 1_738_324_800_000])
})

test('a number that may mean two things is refused with both', () => {
  expect(() => durationArgument('5')).toThrow('It has no unit. Write 5s or 5ms.')
  expect(durationArgument('0')).toBe(0)
  expect(() => timeArgument('1738324800')).toThrow(/^Write 2025-01-31T12:00:00Z, if it is seconds/)
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

const takesValue = (key: string) => key !== 'log.pretty' && key !== 'windw.size'

test.each([
  ['--log.pretty', ['--set', '--log.pretty=true']],
  ['--kafka.brokers=a:1,b:2', ['--set', '--kafka.brokers=a:1,b:2']],
  ['--checkpoint.s3.region=x', ['--set', '--checkpoint.s3.region=x']],
  ['--tenant=x', ['--set', '--tenant=x']],
  ['--tenant x', ['--set', '--tenant=x']],
  ['--window.size 1m check', ['--set', '--window.size=1m', 'check']],
  ['--window.size', ['--set', '--window.size']],
  ['--window.size --until-end', ['--set', '--window.size', '--until-end']],
  ['--log.pretty check', ['--set', '--log.pretty=true', 'check']],
  ['--windw.size check', ['--set', '--windw.size=true', 'check']],
])('a configuration key may be an option of its own: %s', (words, expanded) => {
  expect(expandKeys(['run', ...words.split(' ')], takesValue)).toEqual(['run', ...expanded])
})

test('other options, and everything after --, are left alone', () => {
  const words = ['run', '--until-end', '--config', 'a.b', '--rate=1.5', '--', '--log.pretty', '--tenant=x']
  expect(expandKeys(words, takesValue)).toEqual(words)
  const again = ['run', '--set', '--window.size=1m', '-s', '--tenant=x']
  expect(expandKeys(again, takesValue)).toEqual(again)
  expect(words.filter(isBareKey)).toEqual(['--log.pretty'])
})

test('keys without a section are options too, and no verb has one of their names', () => {
  const names = KEYS.flatMap(({ path, field }) => (field !== undefined && !path.includes('.') ? [path] : []))
  expect(names.filter((name) => !isBareKey(`--${name}`))).toEqual([])
  const own = createProgram(() => {}).commands.flatMap(({ options }) => options.map(({ long }) => long))
  expect(own.filter((long) => isBareKey(long ?? ''))).toEqual([])
})
