/** The partition map: every partition at once, which of them hold their tasks back, and by how much. */
import { html, nothing, svg, type TemplateResult } from 'lit-html'
import { addressText } from './address.ts'
import type { Answer } from './answers.ts'
import { answerTo } from './answers.ts'
import { ASK_PARTITIONS, onePartitionOf } from './needs.ts'
import { charts, type PageView, type Shown, searchField, staleNote, table, waiting } from './parts.ts'
import { filterRows } from './sorted-rows.ts'
import { clockText, countText, rateText, secondsText, UNKNOWN } from './words.ts'

type PartitionRow = Answer<'partitions'>['partitions'][number] & {
  /** By which its task would be further without it, s; 0 when it does not hold it. */
  readonly holdsSeconds: number
  readonly watermarkLagSeconds: number | null
}

/** Partitions as rows, with what their tasks say of them. */
function partitionRows({ partitions, tasks, at }: Answer<'partitions'>): PartitionRow[] {
  const holders = new Map(
    tasks.flatMap(({ heldBy }) => (heldBy === null ? [] : [[`${heldBy.topic}/${heldBy.partition}`, heldBy.bySeconds ?? 0]])),
  )
  return partitions.map((each) => ({
    ...each,
    holdsSeconds: Number(holders.get(`${each.topic}/${each.partition}`) ?? 0),
    watermarkLagSeconds: each.watermark === null ? null : (Date.parse(at) - Date.parse(each.watermark)) / 1000,
  }))
}

/** What a partition is in, in a word; `holds` is the one to look at. */
function conditionOf({ holdsSeconds, paused, ended, idle, lagRecords }: PartitionRow): keyof typeof CONDITIONS {
  if (holdsSeconds >= HOLDS_MIN_SECONDS) return 'holds'
  if (paused) return 'paused'
  if (ended) return 'ended'
  if (idle) return 'idle'
  return (lagRecords ?? 0) > LAGS_MIN_RECORDS ? 'behind' : 'fine'
}

const HOLDS_MIN_SECONDS = 5
const LAGS_MIN_RECORDS = 10_000
const CONDITIONS = {
  fine: '',
  behind: 'records wait',
  holds: 'holds its task',
  paused: 'paused: ahead of its task',
  idle: 'idle',
  ended: 'read to its end',
} as const

/** The view. */
export function partitionsView(page: PageView): TemplateResult {
  const answer = answerTo(page.answers, ASK_PARTITIONS)
  if (answer === undefined) return html`<h2>Partitions</h2>${waiting(page, ASK_PARTITIONS)}`
  const rows = partitionRows(answer)
  const wanted = filterRows(rows, page.address.params.filter ?? '', textOf)
  return html`<h2>Partitions</h2>
    ${staleNote(page, ASK_PARTITIONS)} ${onePartition(page)} ${map(rows)} ${tasksHeld(page, answer)}
    <div class="tools">${searchField(page, 'Filter', 'filter')} <span class="note">${wanted.length} of ${rows.length}</span></div>
    ${partitionTable(page, wanted, answer.at)}`
}

/** What a filter looks at: `clicks/3 task:3 idle`. */
function textOf(row: PartitionRow): string {
  return `${row.topic}/${row.partition} task:${row.task} ${CONDITIONS[conditionOf(row)]}`
}

function partitionTable(page: PageView, rows: readonly PartitionRow[], at: string): TemplateResult {
  return table<PartitionRow>(page, {
    caption: 'Partitions',
    rows,
    empty: 'None: this process has no partitions, or the filter fits none.',
    sortedBy: 'name',
    rowClass: (row) => conditionOf(row),
    columns: [
      { key: 'name', name: 'partition', value: ({ topic, partition }) => `${topic}/${partition}`, cell: nameCell },
      { key: 'task', name: 'task', right: true, value: ({ task }) => task },
      { key: 'condition', name: 'condition', value: (row) => CONDITIONS[conditionOf(row)] },
      { key: 'holds', name: 'holds its task by', right: true, value: (row) => row.holdsSeconds, cell: (row) => holdsText(row) },
      {
        key: 'watermark',
        name: 'watermark behind',
        right: true,
        value: (row) => row.watermarkLagSeconds,
        cell: (row) => html`<span title=${clockText(row.watermark, at)}>${secondsText(row.watermarkLagSeconds)}</span>`,
      },
      { key: 'lag', name: 'records wait', right: true, value: (row) => row.lagRecords, cell: (row) => countText(row.lagRecords) },
      {
        key: 'behind',
        name: 'reading behind',
        right: true,
        value: (row) => row.behindSeconds,
        cell: (row) => secondsText(row.behindSeconds),
      },
      { key: 'rate', name: 'records/s', right: true, value: (row) => row.recordsPerSecond, cell: (row) => rateText(row.recordsPerSecond) },
      { key: 'position', name: 'next offset', right: true, value: (row) => row.position, cell: (row) => countText(row.position) },
      { key: 'late', name: 'late', right: true, value: ({ records }) => records.late, cell: ({ records }) => countText(records.late) },
      {
        key: 'invalid',
        name: 'invalid',
        right: true,
        value: ({ records }) => records.invalid,
        cell: ({ records }) => countText(records.invalid),
      },
      {
        key: 'missing',
        name: 'gone unread',
        right: true,
        value: (row) => row.missingRecords,
        cell: (row) => countText(row.missingRecords),
      },
    ],
  })
}

function holdsText({ holdsSeconds }: PartitionRow): string {
  return holdsSeconds > 0 ? secondsText(holdsSeconds) : ''
}

function nameCell({ topic, partition }: PartitionRow): Shown {
  const name = `${topic}/${partition}`
  return html`<a class="id" href=${addressText({ view: 'partitions', id: name, params: {} })}>${name}</a>`
}

/** The tasks that wait most, in words. */
function tasksHeld(page: PageView, { tasks }: Answer<'partitions'>): Shown {
  const held = tasks
    .filter(({ heldBy }) => (heldBy?.bySeconds ?? 0) >= HOLDS_MIN_SECONDS)
    .toSorted((a, b) => (b.heldBy?.bySeconds ?? 0) - (a.heldBy?.bySeconds ?? 0))
  if (held.length === 0) return page.recorded ? nothing : html`<p class="note">No partition holds its task back.</p>`
  const inWords = ({ task, heldBy, lagSeconds }: (typeof held)[number]) =>
    html`<li>
      task ${task} is ${secondsText(lagSeconds)} behind now, ${secondsText(heldBy?.bySeconds)} of it for
      <strong class="id">${heldBy?.topic}/${heldBy?.partition}</strong>
    </li>`
  return html`<ul class="held">${held.slice(0, HELD_SHOWN).map(inWords)}</ul>
    ${held.length > HELD_SHOWN ? html`<p class="note">and ${held.length - HELD_SHOWN} more tasks</p>` : nothing}`
}

const HELD_SHOWN = 5
const CELL = 14
const CELLS_A_LINE = 64

/** A cell for each partition, a block for each topic: shape and colour say what it is in. The table has the same in words. */
function map(rows: readonly PartitionRow[]): Shown {
  const topics = Object.entries(Object.groupBy(rows, ({ topic }) => topic))
  return html`<div class="map" aria-hidden="true">
    ${topics.map(([topic, of = []]) => {
      const lines = Math.ceil(of.length / CELLS_A_LINE)
      const width = Math.min(of.length, CELLS_A_LINE) * CELL
      return html`<figure>
        <figcaption><span class="id">${topic}</span> <small>${of.length}</small></figcaption>
        <svg viewBox="0 0 ${width} ${lines * CELL}" width=${width} height=${lines * CELL}>${of.map(cellShape)}</svg>
      </figure>`
    })}
    <p class="note">□ fine · ▣ records wait · ✕ holds its task · ‖ paused · ○ idle · ─ ended</p>
  </div>`
}

function cellShape(row: PartitionRow, i: number) {
  const x = (i % CELLS_A_LINE) * CELL
  const y = Math.floor(i / CELLS_A_LINE) * CELL
  const condition = conditionOf(row)
  const at = (path: string) => svg`<path class=${condition} transform="translate(${x} ${y})" d=${path}><title>${textOf(row)}</title></path>`
  return at(SHAPES[condition])
}

const SHAPES: Readonly<Record<keyof typeof CONDITIONS, string>> = {
  fine: 'M2 2h10v10h-10z',
  behind: 'M2 2h10v10h-10z M5 5h4v4h-4z',
  holds: 'M2 2l10 10M12 2l-10 10',
  paused: 'M4 2v10M10 2v10',
  idle: 'M7 2a5 5 0 1 0 .01 0z',
  ended: 'M2 7h10',
}

/** The one of the address, with its last quarter of an hour. */
function onePartition(page: PageView): Shown {
  const asked = onePartitionOf(page.address)
  if (asked === undefined) return nothing
  const answer = answerTo(page.answers, asked)
  const row =
    answer === undefined ? undefined : partitionRows(answer).find(({ topic, partition }) => `${topic}/${partition}` === page.address.id)
  const back = addressText({ view: 'partitions', id: '', params: {} })
  const head = html`<h3><span class="id">${page.address.id}</span> <a href=${back}>close</a></h3>`
  if (answer === undefined) return html`<section class="one">${head}${waiting(page, asked)}</section>`
  if (row === undefined) return html`<section class="one">${head}<p class="empty">This process does not have it (any more).</p></section>`
  const { history } = answer
  return html`<section class="one">
    ${head}
    <p>
      task ${row.task}, next offset ${countText(row.position)} of ${row.endOffset === null ? UNKNOWN : countText(row.endOffset)},
      ${countText(row.lagRecords)} records wait (${countText(row.lagWrittenRecords)} with open transactions);
      event time ${clockText(row.eventTime, page.at)}, watermark ${clockText(row.watermark, page.at)}; read ${countText(row.records.read)}.
      ${CONDITIONS[conditionOf(row)]}
    </p>
    ${history === null ? nothing : charts(chartsOfOne(history))}
  </section>`
}

function chartsOfOne({
  from,
  stepSeconds,
  recordsPerSecond,
  lagRecords,
  watermarkLagSeconds,
}: NonNullable<Answer<'partitions'>['history']>) {
  const start = Date.parse(from) / 1000
  const timesSeconds = recordsPerSecond.map((_, i) => start + i * stepSeconds)
  const chart = (title: string, label: string, values: readonly (number | null)[], format: (value: number | null) => string) => ({
    title,
    timesSeconds,
    marks: [],
    format,
    lines: [{ label, values }],
  })
  return [
    chart('Records a second', 'read', recordsPerSecond, rateText),
    chart('Records that wait', 'lag', lagRecords, countText),
    chart('Watermark behind now', 'watermark', watermarkLagSeconds, secondsText),
  ]
}
