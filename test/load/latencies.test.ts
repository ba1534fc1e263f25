import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { Latencies } from '../../src/load/latencies.ts'

test('quantiles are right to 0.1 %, and no more than the longest', () => {
  const latencies = new Latencies()
  for (let i = 1; i <= 1000; i++) latencies.add(i / 10)
  for (const [share, ms] of [
    [0.01, 1],
    [0.5, 50],
    [0.99, 99],
  ] as const) {
    expect(latencies.quantile(share) / ms).toBeGreaterThanOrEqual(0.999)
    expect(latencies.quantile(share) / ms).toBeLessThanOrEqual(1.001)
  }
  expect(latencies.figures()).toEqual({ p50: latencies.quantile(0.5), p99: latencies.quantile(0.99), max: 100 })
  expect(latencies.quantile(1)).toBe(100)
})

test('those of two threads are added', async () => {
  const [a, b] = [new Latencies(), new Latencies()]
  a.add(1)
  b.add(1)
  b.add(2000)
  const { histogram, maxMs } = await throughAThread(b)
  a.merge(new Latencies(histogram, maxMs))
  expect(a.histogram.count).toBe(3)
  expect(a.figures().max).toBe(2000)
  expect(a.quantile(0.5)).toBeCloseTo(1, 2)
  expect(a.quantile(0.9)).toBe(2000)
})

test('nothing measured is 0, and what is out of all bounds is kept', () => {
  const latencies = new Latencies()
  expect(latencies.figures()).toEqual({ p50: 0, p99: 0, max: 0 })
  latencies.add(0)
  latencies.add(1e9)
  expect(latencies.quantile(0.1)).toBe(0.001)
  expect(latencies.figures().max).toBe(1e9)
})

/** Sent to a thread and back again. */
function throughAThread({ histogram, maxMs }: Latencies): Promise<Pick<Latencies, 'histogram' | 'maxMs'>> {
  const code = "const { parentPort } = require('node:worker_threads'); parentPort.once('message', (it) => parentPort.postMessage(it))"
  const thread = new Worker(code, { eval: true })
  return new Promise((resolve, reject) => {
    thread.once('message', resolve)
    thread.once('error', reject)
    thread.postMessage({ histogram, maxMs })
  })
}
