import { expect, test } from 'vitest'
import { Pace } from '../../src/load/pace.ts'

function paced(rate: number) {
  let now = 1_000_000
  const pace = new Pace(rate, () => now)
  return {
    due: (made: number) => pace.due(made),
    wait: (ms: number) => {
      now += ms
    },
  }
}

test('as many events are due as the rate gives for the time gone, less those made', () => {
  const { due, wait } = paced(1000)
  expect(due(0)).toBe(0)
  wait(100)
  expect(due(0)).toBe(100)
  expect(due(60)).toBe(40)
  wait(1)
  expect(due(100)).toBe(1)
  expect(due(500)).toBe(0)
})

test('a rate that gives less than one event a tick still comes out right', () => {
  const { due, wait } = paced(3)
  let made = 0
  for (let tick = 0; tick < 1000; tick++) {
    wait(10)
    made += due(made)
  }
  expect(made).toBe(30)
})

test('a debt of a second is caught up with, what lies further back is forgiven', () => {
  const { due, wait } = paced(1000)
  wait(1000)
  expect(due(0)).toBe(1000)
  wait(60_000)
  expect(due(1000)).toBe(1000)
  expect(due(2000)).toBe(0)
  wait(10)
  expect(due(2000)).toBe(10)
})
