import { expect, onTestFinished, test } from 'vitest'
import { listenForStop } from '../../src/cli/signals.ts'

function listen() {
  const codes: number[] = []
  const clock = { now: 0 }
  const before = process.listenerCount('SIGINT')
  const stop = listenForStop(
    (code) => void codes.push(code),
    () => clock.now,
  )
  onTestFinished(() => stop.dispose())
  return { codes, clock, stop, before }
}

test('the first signal asks for the end and says which it was', () => {
  const { stop, codes } = listen()
  expect(stop.signal.aborted).toBe(false)
  process.emit('SIGTERM', 'SIGTERM')
  expect([stop.signal.aborted, stop.signal.reason]).toEqual([true, 'SIGTERM'])
  expect(codes).toEqual([])
})

test('a second one ends the process with 130 or 143', () => {
  const { clock, codes } = listen()
  process.emit('SIGINT', 'SIGINT')
  clock.now = 500
  process.emit('SIGINT', 'SIGINT')
  process.emit('SIGTERM', 'SIGTERM')
  expect(codes).toEqual([130, 143])
})

test('copies of one key press, as npm and the terminal deliver them, are one request', () => {
  const { clock, codes } = listen()
  process.emit('SIGINT', 'SIGINT')
  process.emit('SIGINT', 'SIGINT')
  clock.now = 499
  process.emit('SIGTERM', 'SIGTERM')
  expect(codes).toEqual([])
})

test('dispose gives the signals back', () => {
  const { stop, before } = listen()
  expect(process.listenerCount('SIGINT')).toBe(before + 1)
  stop.dispose()
  expect(process.listenerCount('SIGINT')).toBe(before)
})
