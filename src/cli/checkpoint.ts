/** `ctr checkpoint`: what is kept of a group, looked at without a running pipeline. */
import { once } from 'node:events'
import type { WriteStream } from 'node:tty'
import { type Counts, differences, type WindowDifference } from '../checkpoint/difference.ts'
import { listManifests, type ManifestListing } from '../checkpoint/manifest.ts'
import { type Selection, select } from '../checkpoint/selection.ts'
import { openPanes, productOf, readObject } from '../checkpoint/stored-task.ts'
import { isoTime, summaryOf } from '../checkpoint/summary.ts'
import { verifyManifest } from '../checkpoint/verify.ts'
import { type Clock, systemClock } from '../clock.ts'
import { loadConfig } from '../config/load.ts'
import { CtrError } from '../errors.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { openStore } from '../store/open-store.ts'
import { formatBytes, formatCount, formatTime, visible } from '../text.ts'
import { count, detailsOf, renderDetails, renderSummaries } from './checkpoint-views.ts'
import type { CheckpointOptions, ConfigOptions, ExportOptions } from './options.ts'
import { withProgress } from './progress.ts'
import { renderTable } from './table.ts'

/** Where answers go and what time it is; tests have their own. */
export interface Surroundings {
  readonly output: NodeJS.WritableStream
  readonly clock: Clock
}

const TERMINAL: Surroundings = { output: process.stdout, clock: systemClock }

/** What a verb works on. */
export interface OpenedStore {
  readonly store: ObjectStore
  readonly group: string
}

/** Opens the configured store for `work`. Throws CtrError CTR_USAGE when nothing is kept. */
export async function withStore<T>(options: ConfigOptions, work: (opened: OpenedStore) => Promise<T>): Promise<T> {
  const { checkpoint, kafka } = loadConfig({ file: options.config, sets: options.set })
  const store = await openStore(checkpoint, (message) => void process.stderr.write(`ctr: ${message}\n`))
  if (store === undefined) throw new CtrError('CTR_USAGE', 'checkpoint.storage is none: nothing is kept; say where with --config or --set')
  try {
    return await work({ store, group: kafka.groupId })
  } finally {
    await store.close()
  }
}

/** `ctr checkpoint list` and `ctr savepoint list`. */
export async function listVerb(options: CheckpointOptions, { output, clock }: Surroundings = TERMINAL): Promise<number> {
  return await withStore(options, async ({ store, group }) => {
    const { manifests, unreadable } = await listManifests(store, group)
    const now = clock()
    const listed = manifests.map((stored) => summaryOf(stored, now)).filter(({ savepoint }) => !options.savepoints || savepoint !== null)
    const broken = unreadable.map(({ key, reason }) => ({ key, reason: reason.message }))
    if (options.json) {
      output.write(json([...listed, ...broken]))
      return 0
    }
    const lines = renderSummaries(listed, now)
    if (lines.length === 0) lines.push(`${store.place} has no ${options.savepoints ? 'savepoint' : 'checkpoint'} of group ${group}`)
    output.write(textOf([...lines, ...broken.map(({ reason }) => `unreadable: ${reason}`)]))
    return 0
  })
}

/** `ctr checkpoint inspect`. */
export async function inspectVerb(what: string, options: CheckpointOptions, { output, clock }: Surroundings = TERMINAL): Promise<number> {
  return await withStore(options, async ({ store, group }) => {
    const now = clock()
    const details = detailsOf(select(await listManifests(store, group), what), now)
    output.write(options.json ? json(details) : textOf(renderDetails(details, now)))
    return 0
  })
}

/** `ctr checkpoint verify`; 1 when something is broken. */
export async function verifyVerb(
  what: string | undefined,
  options: CheckpointOptions,
  { output }: Surroundings = TERMINAL,
): Promise<number> {
  return await withStore(options, async ({ store, group }) => {
    const listing = await listManifests(store, group)
    const verdicts = await verdictsOf(store, listing, what, options)
    const broken = verdicts.filter(({ problems }) => problems.length > 0)
    if (options.json) output.write(json(verdicts))
    else {
      for (const { name, tasks, bytes, problems } of verdicts) {
        output.write(`${problems.length === 0 ? 'sound ' : 'BROKEN'}  ${name}  ${count(tasks, 'task')}, ${formatBytes(bytes)}\n`)
        output.write(textOf(problems.map((problem) => `        ${problem}`)))
      }
      if (verdicts.length === 0) output.write(`${store.place} has no checkpoint of group ${group}\n`)
      else output.write(`${count(verdicts.length - broken.length, 'checkpoint')} sound, ${formatCount(broken.length)} broken\n`)
    }
    return broken.length > 0 ? 1 : 0
  })
}

interface Verdict {
  readonly name: string
  readonly tasks: number
  readonly bytes: number
  readonly problems: readonly string[]
}

async function verdictsOf(store: ObjectStore, listing: ManifestListing, what: string | undefined, options: CheckpointOptions) {
  const selected = what === undefined ? undefined : new Set(select(listing, what).tasks.map(({ from }) => from))
  const verdicts: Verdict[] = []
  const wanted = listing.manifests.filter((stored) => selected?.has(stored) ?? true)
  const stepNow = () => ({ what: 'verify', done: verdicts.length, of: wanted.length, unit: 'checkpoints' })
  await withProgress(options, stepNow, async () => {
    for (const stored of wanted) {
      const { id, savepoint } = stored.manifest
      const tasks = await verifyManifest(store, stored)
      verdicts.push({
        name: savepoint === null ? id : `${id} ${savepoint}`,
        tasks: tasks.length,
        bytes: tasks.reduce((sum, { bytes }) => sum + bytes, stored.bytes),
        problems: tasks.flatMap(({ task, problems }) => problems.map((problem) => `task ${task}: ${problem}`)),
      })
    }
  })
  const unreadable = selected === undefined ? listing.unreadable : []
  return [...verdicts, ...unreadable.map(({ key, reason }) => ({ name: key, tasks: 0, bytes: 0, problems: [reason.message] }))]
}

/** `ctr checkpoint diff`; 1 when windows differ. */
export async function diffVerb(
  a: string,
  b: string,
  options: CheckpointOptions,
  { output, clock }: Surroundings = TERMINAL,
): Promise<number> {
  return await withStore(options, async ({ store, group }) => {
    const listing = await listManifests(store, group)
    const found: WindowDifference[] = []
    const stepNow = () => ({ what: 'compare', done: found.length, unit: 'windows that differ' })
    await withProgress(options, stepNow, async () => {
      for await (const difference of differences(store, select(listing, a), select(listing, b))) found.push(difference)
    })
    if (options.json) output.write(json(found.map((window) => ({ ...window, start: isoTime(window.start), end: isoTime(window.end) }))))
    else if (found.length === 0) output.write(`${a} and ${b} hold the same open windows\n`)
    else output.write(textOf(renderDifferences(found, clock())))
    return found.length > 0 ? 1 : 0
  })
}

function renderDifferences(found: readonly WindowDifference[], now: number): string[] {
  const names = ['task', 'window', 'products that differ', 'impressions', 'clicks']
  const arrow = (x: Counts | null, y: Counts | null, i: 0 | 1) =>
    `${x === null ? '-' : formatCount(x[i])} → ${y === null ? '-' : formatCount(y[i])}`
  const rows = found.map(({ task, start, end, a, b, products }) => {
    const window = `${formatTime(start, now)} – ${formatTime(end, now)}`
    return [String(task), window, formatCount(products.length), arrow(a, b, 0), arrow(a, b, 1)]
  })
  return renderTable(
    names.map((name) => ({ name, right: true })),
    rows,
  )
}

const CHUNK_LENGTH = 1 << 16

/** `ctr checkpoint export`. */
export async function exportVerb(what: string, options: ExportOptions, { output }: Surroundings = TERMINAL): Promise<number> {
  return await withStore(options, async ({ store, group }) => {
    const selection = select(await listManifests(store, group), what)
    let chunk = options.format === 'csv' ? 'task,product,window_start,window_end,impressions,clicks\n' : ''
    const terminal = (output as Partial<WriteStream>).isTTY === true
    let cells = 0
    const flush = async () => {
      // Product ids come from outside and may hold control characters; a terminal must not obey them.
      if (!output.write(terminal ? visible(chunk) : chunk)) await once(output, 'drain')
      chunk = ''
    }
    // What is exported to the terminal itself shows how far it is.
    const wish = terminal ? { ...options, view: false } : options
    await withProgress(
      wish,
      () => ({ what: 'export', done: cells, unit: 'cells' }),
      async () => {
        for await (const cell of cellsOf(store, selection)) {
          cells++
          chunk += options.format === 'csv' ? csv(Object.values(cell)) : `${JSON.stringify(cell)}\n`
          if (chunk.length > CHUNK_LENGTH) await flush()
        }
        await flush()
      },
    )
    return 0
  })
}

async function* cellsOf(store: ObjectStore, { tasks }: Selection) {
  for (const { entry } of tasks) {
    if (entry.object === null) continue
    const decoded = await readObject(store, entry.object)
    for (const pane of openPanes(decoded, entry)) {
      const [window_start, window_end] = [isoTime(pane.start), isoTime(pane.end)]
      for (const [i, product] of pane.products.entries()) {
        const [impressions, clicks] = [pane.impressions[i] ?? 0, pane.clicks[i] ?? 0]
        yield { task: entry.task, product: productOf(decoded, product), window_start, window_end, impressions, clicks }
      }
    }
  }
}

function csv(values: readonly (string | number)[]): string {
  return `${values.map((value) => (/[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : value)).join(',')}\n`
}

/** JSON leaves the upper control characters as they are; some terminals obey them. */
function json(value: unknown): string {
  const escaped = (sign: string) => `\\u00${sign.charCodeAt(0).toString(16)}`
  return `${JSON.stringify(value, null, 2).replaceAll(/[\u007f-\u009f]/g, escaped)}\n`
}

/** Ids, names and topics are harmless on a terminal; messages may quote what is not. */
function textOf(lines: readonly string[]): string {
  return visible(lines.map((line) => `${line}\n`).join(''))
}
