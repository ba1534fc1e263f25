import fc from 'fast-check'
import { expect, test } from 'vitest'
import { renderTable } from '../../src/cli/table.ts'
import { fit } from '../../src/columns.ts'
import { formatBytes, formatCount, formatRatio, formatSpan, formatTime } from '../../src/text.ts'

const anyText = fc.array(fc.integer({ min: 0, max: 0xd7ff }), { maxLength: 40 }).map((codes) => String.fromCodePoint(...codes))

const NOW = Date.UTC(2025, 0, 31, 12)

test('numbers are grouped, ratios are percentages', () => {
  expect([formatCount(0), formatCount(1_234_567.4), formatRatio(0.0496), formatRatio(0)]).toEqual(['0', '1,234,567', '4.96 %', '0.00 %'])
})

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1024 ** 2 - 1, '1024.0 KiB'],
  [1024 ** 2, '1.0 MiB'],
  [1024 ** 3 - 1, '1024.0 MiB'],
  [12.34 * 1024 ** 3, '12.3 GiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

test('a time of another day shows its date', () => {
  expect(formatTime(NOW + 5000, NOW)).toBe('12:00:05')
  expect(formatTime(NOW - 86_400_000, NOW)).toBe('2025-01-30 12:00:00')
})

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1000, '1.0 s'],
  [59_940, '59.9 s'],
  [200_000, '3 min 20 s'],
  [3_600_000, '1 h 0 min'],
  [7_500_000, '2 h 5 min'],
  [30 * 86_400_000, '30 days'],
])('%d ms is %s', (ms, text) => {
  expect(formatSpan(ms)).toBe(text)
})

test.each([
  ['abc', 5, 'abc  '],
  ['abc', 3, 'abc'],
  ['abcd', 3, 'ab…'],
  ['日本語', 6, '日本語'],
  ['日本語', 5, '日本…'],
  ['日本語', 4, '日… '],
  ['a\u001b[2Jb', 7, 'a?[2Jb '],
  ['e\u0301e\u0301e\u0301', 3, 'e\u0301e\u0301e\u0301'],
  ['e\u0301e\u0301e\u0301', 2, 'e\u0301…'],
  ['\u{1f44d}\u{1f3fd}b', 4, '\u{1f44d}\u{1f3fd}b '],
  ['\u{1f1e9}\u{1f1ea}bc', 3, '\u{1f1e9}\u{1f1ea}…'],
  ['\u{1f1e9}\u{1f1ea}bc', 2, '… '],
  ['', 2, '  '],
  ['abc', 0, ''],
])('%j fits %d columns as %j', (text, columns, shown) => {
  expect(fit(text, columns)).toBe(shown)
})

test('no product id can bring a control character to the terminal', () => {
  fc.assert(fc.property(anyText, (text) => !/\p{C}/u.test(fit(text, 30))))
})

test('plain text takes exactly the columns it is given', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 60 }), fc.nat(50), (text, columns) => fit(text, columns).length === columns),
  )
})

test('columns of a table line up however wide its characters are', () => {
  const columns = [{ name: 'id' }, { name: 'n', right: true }, { name: 'end' }]
  const rows = [
    ['日本', '1', 'x'],
    ['e\u0301', '１２', ''],
  ]
  expect(renderTable(columns, rows)).toEqual(['id       n  end', '日本     1  x', 'e\u0301     １２'])
})
