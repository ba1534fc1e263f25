import { expect, test } from 'vitest'
import { writtenConfig } from '../src/config/load.ts'
import { printConfig } from '../src/config/print.ts'
import { CtrError } from '../src/errors.ts'
import { createLogger } from '../src/log.ts'
import { maskSecrets, visible } from '../src/text.ts'

test.each([
  ['at http://user:hush@host:8123/x', 'at http://***@host:8123/x'],
  ['at https://hush@host, and http://a:hush@b', 'at https://***@host, and http://***@b'],
  ['http://user:hu@sh@host', 'http://***@host'],
  ['http://user:hu/sh@host', 'http://***@host'],
  ['"s3://key:hush@bucket"', '"s3://***@bucket"'],
  ['http://host/?password=hush&database=ctr', 'http://host/?password=***&database=ctr'],
  ['http://host/?database=ctr&X-Amz-Signature=hush&x=1', 'http://host/?database=ctr&X-Amz-Signature=***&x=1'],
  ['http://host?user=hush&access_token=hush#part', 'http://host?user=***&access_token=***#part'],
  ['http://host:8123 refuses user a@b', 'http://host:8123 refuses user a@b'],
  ['user@host: password=x', 'user@host: password=x'],
])('%s is shown as %s', (text, masked) => {
  expect(maskSecrets(text)).toBe(masked)
  expect(new CtrError('CTR_CONFIG', text).message).toBe(masked)
})

test.each(['a.'.repeat(200_000), 'a://'.repeat(100_000), `?${'pass'.repeat(100_000)}`, '?pass'.repeat(100_000)])(
  'a text of 400,000 characters takes no time, though it looks like addresses: %#',
  (text) => {
    const begun = performance.now()
    maskSecrets(`x://${text}`)
    expect(performance.now() - begun).toBeLessThan(1_000)
  },
)

test('a log line holds no secret of an address, wherever in it the address is', () => {
  const lines: string[] = []
  const log = createLogger({ level: 'info', pretty: false }, { write: (line) => void lines.push(line) })
  log.info({ url: 'http://u:hush@h', error: new Error('http://u:hush@h?token=hush') }, 'see http://u:hush@h')
  expect(lines.join('')).toContain('http://***@h')
  expect(lines.join('')).not.toContain('hush')
})

test('a configuration is printed without secrets in addresses', () => {
  const text = printConfig(writtenConfig({ file: undefined, sets: ['clickhouse.url=http://h:8123?password=hush'] }))
  expect(text).toContain('url: [http://h:8123?password=***]')
})

test.each([
  ['plain, ünïcødé, 数字 and 👩‍👩‍👧', 'plain, ünïcødé, 数字 and 👩‍👩‍👧'],
  ['a\tb\n', 'a\tb\n'],
  ['\u001b[2J', '\\x1b[2J'],
  ['\r\u0000\u007f', '\\x0d\\x00\\x7f'],
  ['\u009b31m', '\\x9b31m'],
  ['p\u202e1\u2066\u200f\u061c', 'p\\u202e1\\u2066\\u200f\\u061c'],
  ['a\u2028b\u2029', 'a\\u2028b\\u2029'],
])('%j is seen as %j', (text, seen) => {
  expect(visible(text)).toBe(seen)
})
