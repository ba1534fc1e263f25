/** Checkpoints as people and programs see them: plain objects for --json, and the same as lines of text. Pure functions. */
import type { TaskEntry } from '../checkpoint/manifest.ts'
import type { Selection } from '../checkpoint/selection.ts'
import { openWindows } from '../checkpoint/stored-task.ts'
import { isoTime, type Summary } from '../checkpoint/summary.ts'
import { formatDuration } from '../config/units.ts'
import { formatBytes, formatCount, formatSpan, formatTime } from '../text.ts'
import { sumOf, TERM_NAMES } from '../window/ledger.ts'
import { describeWindows } from '../window/windows.ts'
import { renderTable } from './table.ts'

/** One line each. */
export function renderSummaries(summaries: readonly Summary[], now: number): string[] {
  const columns = [
    { name: 'id' },
    { name: 'savepoint' },
    { name: 'age', right: true },
    { name: 'watermark', right: true },
    { name: 'tasks', right: true },
    { name: 'windows', right: true },
    { name: 'cells', right: true },
    { name: 'size', right: true },
    { name: 'writer' },
  ]
  const rows = summaries.map(({ id, savepoint, ageMs, watermark, tasks, windows, cells, bytes, writer }) => {
    const counts = [tasks, windows, cells].map(formatCount)
    return [id, savepoint ?? '', formatSpan(ageMs), time(watermark, now), ...counts, formatBytes(bytes), writer]
  })
  return renderTable(columns, rows)
}

/** Everything that manifests say about the tasks of a selection. */
export function detailsOf({ name, tasks }: Selection, now: number) {
  const manifests = [...new Set(tasks.map(({ from }) => from.manifest))]
  return {
    name,
    checkpoints: manifests.map(({ id, savepoint, writer, createdAt, rules }) => {
      return { id, savepoint, writer, createdAt: isoTime(createdAt), ageMs: now - createdAt, rules }
    }),
    tasks: tasks.map(({ entry, from }) => ({ ...taskOf(entry), checkpoint: from.manifest.id })),
  }
}

/** What `ctr checkpoint inspect` shows. */
export type Details = ReturnType<typeof detailsOf>

function taskOf(entry: TaskEntry) {
  const { task, published, object, partitions } = entry
  return {
    task,
    watermark: published === null ? null : isoTime(published),
    windows: [...openWindows(entry)].sort(([a], [b]) => a - b).map(([end, events]) => ({ end: isoTime(end), events })),
    cells: object?.cells ?? 0,
    products: object?.products ?? 0,
    bytes: object?.bytes ?? 0,
    object: object?.key ?? null,
    partitions: partitions.map(({ topic, partition, position, maxEventTime, totals, windows }) => {
      const lowWater = Math.min(position, ...windows.filter(({ released }) => released !== true).map(({ offset }) => offset))
      return {
        topic,
        partition,
        position,
        lowWater,
        maxEventTime: maxEventTime === null ? null : isoTime(maxEventTime),
        ...totals,
      }
    }),
  }
}

/** What it is and where from, then a table of tasks and one of partitions. */
export function renderDetails({ name, checkpoints, tasks }: Details, now: number): string[] {
  const sum = (of: (task: Details['tasks'][number]) => number) => tasks.reduce((total, task) => total + of(task), 0)
  const cells = sum((task) => task.cells)
  const lines = [`${name}: ${count(tasks.length, 'task')}, ${count(cells, 'cell')}, ${formatBytes(sum(({ bytes }) => bytes))}`]
  for (const { id, savepoint, writer, ageMs, rules } of checkpoints) {
    const from = savepoint === null ? `checkpoint ${id}` : `savepoint ${savepoint} (${id})`
    lines.push(`  ${from} by ${writer}, ${formatSpan(ageMs)} ago`)
    const { outOfOrderness, allowedLateness, topics, tenant } = rules
    const times = `${describeWindows(rules)}, out-of-orderness ${formatDuration(outOfOrderness)}`
    lines.push(`    ${times}, lateness ${formatDuration(allowedLateness)}, topics ${topics.join(' ')}, tenant ${tenant}`)
  }
  return [...lines, '', ...renderTasks(tasks, now), '', ...renderPartitions(tasks, now)]
}

function renderTasks(tasks: Details['tasks'], now: number): string[] {
  const numbers = ['windows', 'events', 'cells', 'products', 'size'].map((name) => ({ name, right: true }))
  const columns = [{ name: 'task', right: true }, { name: 'watermark', right: true }, ...numbers, { name: 'checkpoint' }]
  const rows = tasks.map(({ task, watermark, windows, cells, products, bytes, checkpoint }) => {
    const events = windows.reduce((sum, window) => sum + window.events, 0)
    const counts = [windows.length, events, cells, products].map(formatCount)
    return [String(task), time(watermark, now), ...counts, formatBytes(bytes), checkpoint]
  })
  return renderTable(columns, rows)
}

function renderPartitions(tasks: Details['tasks'], now: number): string[] {
  const names = ['position', 'low water', 'event time', 'read', ...TERM_NAMES]
  const columns = [{ name: 'partition' }, ...names.map((name) => ({ name, right: true }))]
  const rows = tasks.flatMap(({ partitions }) =>
    partitions.map(({ topic, partition, position, lowWater, maxEventTime, ...totals }) => {
      const offsets = [String(position), String(lowWater), time(maxEventTime, now)]
      return [`${topic}/${partition}`, ...offsets, ...[totals.read, ...TERM_NAMES.map((name) => sumOf(totals, name))].map(formatCount)]
    }),
  )
  return renderTable(columns, rows)
}

/** `1 task`, `2 tasks`. */
export function count(number: number, noun: string): string {
  return `${formatCount(number)} ${noun}${number === 1 ? '' : 's'}`
}

function time(text: string | null, now: number): string {
  return text === null ? '-' : formatTime(Date.parse(text), now)
}
