/**
 * `npm run bench:growth`: how throughput and CPU time grow with partitions, workers, products, size of events, spellings, codecs and CRC.
 *
 *   node bench/growth.ts [--events 3_000_000] [--rounds 2] [--axis products,workers] [--json FILE] [--html FILE]
 *
 * One axis after the other; what an axis does not vary is at its base value (growth-axes.ts). Every kind of data has topics of its own,
 * which go when their axis is done. The points of an axis take turns, and each run counts only when every event is in ClickHouse. Of the
 * rounds the best is shown. Broker, ClickHouse and engine share the machine.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatCount } from '../src/text.ts'
import { loadBacklog, runEngine } from '../workshop/backlog.ts'
import { plainClient } from '../workshop/kafka-harness.ts'
import { scriptOptions } from '../workshop/options.ts'
import { describePlace, place, writeJson } from '../workshop/report.ts'
import { type Page, renderPage } from '../workshop/report-page.ts'
import { runScript, type Stand, withStand } from '../workshop/stand.ts'
import {
  type Axis,
  axesOf,
  bestOf,
  figuresOf,
  GROWTH_HEAD,
  type GrowthRun,
  type MeasuredAxis,
  type Point,
  renderAxis,
  valueBytesOf,
} from './growth-axes.ts'

/** Of event time: windows of 10 s hold what they do at a million events a second. */
const EVENT_RATE = 1_000_000

const options = scriptOptions('bench/growth.ts', { events: 3_000_000, rounds: 2, axis: '', json: '', html: '' })
const say = (text: string) => process.stderr.write(`${text}\n`)

async function main(stand: Stand, axes: readonly Axis[]): Promise<number> {
  const { events, rounds, json, html } = options
  const here = place()
  console.log(`${describePlace(here)}\n${formatCount(events)} events a run, best of ${rounds} round(s), all events in the results`)
  const measured: MeasuredAxis[] = []
  for (const axis of axes) {
    measured.push(await measure(stand, axis))
    console.log(`\n${renderAxis(measured.at(-1)!, events)}`)
  }
  console.log('\nevents/s, MB/s of values, CPU: from the moment the engine runs to the last record read')
  console.log('whole: CPU s/M of the whole process, its start and the last windows included; peak: VmHWM')
  const report = { place: here, events, rounds, axes: measured }
  if (json !== '') writeJson(json, report)
  if (html !== '') writeFileSync(html, renderPage(pageOf(measured, describePlace(here))))
  return 0
}

async function measure(stand: Stand, { name, what, points }: Axis): Promise<MeasuredAxis> {
  const topics = new Map<string, readonly string[]>()
  for (const point of points) {
    const key = dataOf(point)
    if (topics.has(key)) continue
    const own = ['impressions', 'clicks'].map((topic) => `${topic}-${name}-${topics.size}`)
    topics.set(key, own)
    const { partitions, generate, codec } = point
    const { seconds } = await loadBacklog(stand, {
      events: options.events,
      topics: own,
      partitions,
      generate,
      codec,
      eventRate: EVENT_RATE,
    })
    say(`${name} ${point.label}: produced in ${seconds.toFixed(1)} s`)
  }
  const runs = new Map<Point, GrowthRun[]>(points.map((point) => [point, []]))
  for (let round = 0; round < options.rounds; round++) {
    for (const point of round % 2 === 0 ? points : points.toReversed()) {
      const { seconds, busyCpuSeconds, cpuSeconds, peakRssBytes } = await runEngine(stand, {
        events: options.events,
        topics: topics.get(dataOf(point)) ?? [],
        sets: point.sets,
      })
      runs.get(point)?.push({ seconds, busyCpuSeconds, cpuSeconds, peakRssBytes })
      say(`round ${round + 1} of ${options.rounds}: ${name} ${point.label}: ${formatCount(options.events / seconds)} events/s`)
      rmSync(join(stand.folder, 'checkpoints'), { recursive: true, force: true })
    }
  }
  await removeTopics(stand, [...topics.values()].flat())
  return {
    name,
    what,
    points: points.map((point) => ({ label: point.label, bytesPerEvent: valueBytesOf(point.generate), runs: runs.get(point) ?? [] })),
  }
}

/** Points with the same data share topics. */
function dataOf({ partitions, generate, codec }: Point): string {
  return JSON.stringify([partitions, generate, codec])
}

/** The broker deletes the files a minute later, so that there are never those of more than two axes. */
async function removeTopics(stand: Stand, topics: string[]): Promise<void> {
  const admin = plainClient([...stand.brokers]).admin()
  await admin.connect()
  await admin.deleteTopics({ topics })
  await admin.disconnect()
}

function pageOf(axes: readonly MeasuredAxis[], where: string): Page {
  const { events, rounds } = options
  return {
    title: `Growth: ${formatCount(events)} events a run, best of ${rounds}`,
    place: where,
    figures: [
      ['', GROWTH_HEAD.join(' · ')],
      ...axes.flatMap(({ name, points }) =>
        points.map((point) => [`${name}: ${point.label}`, figuresOf(point, events).join(' · ')] as const),
      ),
    ],
    charts: axes.map(({ name, what, points }) => ({
      title: `${name}: ${what}`,
      unit: 'events per second',
      x: points.map((_, i) => i),
      y: points.map(({ runs }) => events / bestOf(runs).seconds),
      names: points.map(({ label }) => label),
    })),
  }
}

await runScript(async () => {
  const axes = axesOf(options.axis)
  return withStand((stand) => main(stand, axes))
})
