/** What an engine shows of itself while it runs: its metrics and its memory, sampled once a second. */
import { readFileSync } from 'node:fs'
import { sleep } from '../src/clock.ts'
import { cpuSecondsOf } from '../workshop/usage.ts'

export interface Sample {
  /** Since the sampling began. */
  readonly seconds: number
  /** Events read so far, and not read yet. */
  readonly events: number
  readonly lag: number
  readonly rows: number
  /** In memory. */
  readonly products: number
  readonly rssBytes: number
  /** User and system time so far. */
  readonly cpuSeconds: number
}

export interface Sampling {
  readonly samples: readonly Sample[]
  /** Takes one now, beside those once a second. */
  takeOne(): Promise<void>
  stop(): Promise<void>
}

const PERIOD_MS = 1000

/** Begins to sample the engine that serves `url` as process `pid`. Moments at which it does not answer are left out. */
export function startSampling(url: string, pid: number): Sampling {
  const samples: Sample[] = []
  const stopping = new AbortController()
  const began = performance.now()
  const takeOne = async () => {
    const sample = await takeSample(url, pid, began).catch(() => undefined)
    if (sample !== undefined) samples.push(sample)
  }
  const run = async () => {
    while (!stopping.signal.aborted) {
      await takeOne()
      await sleep(PERIOD_MS, stopping.signal)
    }
  }
  const running = run()
  return {
    samples,
    takeOne,
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}

async function takeSample(url: string, pid: number, began: number): Promise<Sample> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const process = processFigures(pid)
  return {
    seconds: (performance.now() - began) / 1000,
    events: sumOf(text, 'ctr_events_processed_total'),
    lag: sumOf(text, 'ctr_consumer_lag_records'),
    rows: sumOf(text, 'ctr_rows_written_total'),
    products: sumOf(text, 'ctr_active_products'),
    ...process,
  }
}

/** The sum of a metric over its labels, from Prometheus' text. */
export function sumOf(text: string, metric: string): number {
  let sum = 0
  for (const match of text.matchAll(new RegExp(`^${metric}(?:\\{[^}]*\\})? (\\S+)`, 'gm'))) sum += Number(match[1])
  return sum
}

function processFigures(pid: number): Pick<Sample, 'rssBytes' | 'cpuSeconds'> {
  const [, kibibytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return { rssBytes: Number(kibibytes) * 1024, cpuSeconds: cpuSecondsOf(pid) ?? Number.NaN }
}
