import { expect, test } from 'vitest'
import { type ServerSetting, settingsToSend } from '../../src/clickhouse/settings.ts'

const at = (name: string, value: string, more: Partial<ServerSetting> = {}): ServerSetting => ({
  name,
  value,
  readonly: 0,
  min: null,
  max: null,
  user: 'ctr',
  ...more,
})
const WANTED = { a: { value: 0, needed: 'else rows are lost' }, b: { value: 7 } }

test('what has its value already is not sent, whether or not it could be', () => {
  expect(settingsToSend(WANTED, [at('a', '0', { readonly: 1 }), at('b', '7')])).toEqual({ settings: {}, leftOut: [] })
})

test('another value that will do is left as it is, and any other is not', () => {
  const wanted = { a: { value: 2, orElse: ['1'], needed: 'else it writes' } }
  for (const value of ['1', '2']) expect(settingsToSend(wanted, [at('a', value, { readonly: 1 })]).settings).toEqual({})
  expect(settingsToSend(wanted, [at('a', '0')]).settings).toEqual({ a: 2 })
  expect(() => settingsToSend(wanted, [at('a', '0', { readonly: 1 })])).toThrow('and 2 is needed: else it writes')
})

test('what has another value is sent', () => {
  expect(settingsToSend(WANTED, [at('a', '1'), at('b', '8')])).toEqual({ settings: { a: 0, b: 7 }, leftOut: [] })
})

test('a needed one that can not be had is named, with its value, what is wanted and why', () => {
  const refused = /username: the setting a is 1, which user ctr may not change .*profile.*, and 0 is needed: else rows are lost/
  expect(() => settingsToSend(WANTED, [at('a', '1', { readonly: 1 }), at('b', '7')])).toThrow(refused)
  expect(() => settingsToSend(WANTED, [at('a', '1', { min: '1' }), at('b', '7')])).toThrow(refused)
  expect(() => settingsToSend(WANTED, [at('b', '7')])).toThrow('this ClickHouse knows no setting a, and 0 is needed')
})

test('a preference that can not be had is left out, with a line about it', () => {
  for (const [max, sent] of [
    ['6', false],
    ['7', true],
    ['8', true],
  ] as const) {
    const { settings, leftOut } = settingsToSend(WANTED, [at('a', '0'), at('b', '5', { max })])
    expect([settings, leftOut.length]).toEqual(sent ? [{ b: 7 }, 0] : [{}, 1])
  }
  const [line] = settingsToSend(WANTED, [at('a', '0'), at('b', '5', { readonly: 1 })]).leftOut
  expect(line).toMatch(/the setting b is 5, which user ctr may not change .*; 7 would be better/)
})
