/** Lines that stay below what is printed, on the screen of a terminal. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Region } from '../../src/top/region.ts'
import { Screen } from '../../workshop/screen.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function regionOn(columns: number, rows: number) {
  const screen = new Screen(columns, rows)
  const writes: string[] = []
  const stream = {
    get rows() {
      return screen.rows
    },
    write: (text: string) => {
      writes.push(text)
      screen.write(text.replaceAll(/(?<!\r)\n/g, '\r\n'))
    },
  }
  return { screen, writes, region: new Region(stream, Date.now) }
}

const settle = () => vi.advanceTimersByTime(250)
const VIEW = ['', 'head', 'foot']

test('what is printed stands above, and goes up when there is no more room', () => {
  const { screen, region } = regionOn(20, 6)
  region.show(VIEW)
  for (let i = 1; i <= 5; i++) region.print(`line ${i}\n`)
  settle()
  expect(screen.text.split('\n')).toEqual(['line 1', 'line 2', 'line 3', 'line 4', 'line 5', '', 'head', 'foot'])
  region.close()
  expect(screen.lines).toEqual(['line 3', 'line 4', 'line 5', '', '', ''])
  expect(screen.cursor).toEqual({ row: 3, column: 0 })
})

test('the terminal is written to four times a second, however much is printed, and nothing of it is lost', () => {
  const { screen, writes, region } = regionOn(20, 6)
  region.show(VIEW)
  for (let i = 0; i < 1000; i++) {
    region.print(`line ${i}\n`)
    region.show(['', `head ${i}`, 'foot'])
    vi.advanceTimersByTime(1)
  }
  settle()
  expect(writes.length).toBeLessThanOrEqual(6)
  expect(screen.text.split('\n')).toEqual([...Array.from({ length: 1000 }, (_, i) => `line ${i}`), '', 'head 999', 'foot'])
})

test('what waits has a bound', () => {
  const { writes, region } = regionOn(20, 6)
  region.print('first')
  expect(writes).toHaveLength(1)
  region.print('x'.repeat((1 << 18) - 1))
  expect(writes).toHaveLength(1)
  region.print('y')
  expect(writes).toHaveLength(2)
})

test('what is the same is not drawn again', () => {
  const { writes, region } = regionOn(20, 6)
  for (let i = 0; i < 10; i++) {
    region.show([...VIEW])
    settle()
  }
  expect(writes).toHaveLength(1)
})

test('what another thread prints stays, and the view stands below it', () => {
  const { screen, region } = regionOn(40, 10)
  region.show(VIEW)
  screen.write('Node says something\r\n')
  region.show(['', 'head 2', 'foot'])
  settle()
  expect(screen.lines.slice(0, 5)).toEqual(['Node says something', '', 'head 2', 'foot', ''])
})

test('a view that a narrower terminal has wrapped goes whole', () => {
  const { screen, region } = regionOn(40, 12)
  region.print('a line')
  region.show(['', 'h'.repeat(40), 'f'.repeat(40)])
  settle()
  screen.resize(15, 12)
  region.clear()
  region.show(['', 'head', 'foot'])
  settle()
  expect(screen.lines.filter((line) => line !== '')).toEqual(['a line', 'head', 'foot'])
})

test('on a terminal that is too low the first lines are seen, and the cursor stays above them', () => {
  const { screen, region } = regionOn(20, 3)
  region.print('a line')
  region.show(['', 'one', 'two', 'three', 'four'])
  settle()
  region.print('another')
  settle()
  expect(screen.text.split('\n')).toEqual(['a line', 'another', '', 'one'].slice(-5))
})

test('once it is closed lines are written as they come', () => {
  const { screen, writes, region } = regionOn(20, 6)
  region.show(VIEW)
  region.close()
  region.close()
  const before = writes.length
  region.print('after\n')
  region.show(['', 'never', 'seen'])
  settle()
  expect(writes.length).toBe(before + 1)
  expect(screen.lines[0]).toBe('after')
  expect(screen.text).not.toContain('never')
})
