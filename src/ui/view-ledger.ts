/** The ledger: read = all of its terms, and what the windows in ClickHouse have of what was counted into them. */
import { html, nothing, type TemplateResult } from 'lit-html'
import { addressText, withParams } from './address.ts'
import type { Answer } from './answers.ts'
import { answerTo } from './answers.ts'
import { ASK_LEDGER, ASK_WINDOWS } from './needs.ts'
import { type PageView, type Shown, staleNote, table, waiting } from './parts.ts'
import { countText, ratioText, timeText } from './words.ts'

type LedgerMinute = NonNullable<Answer<'ledger'>['minutes']>[number]
type LedgerPartition = Answer<'ledger'>['partitions'][number]
type ResultWindow = Answer<'windows'>['windows'][number]

/** The view. */
export function ledgerView(page: PageView): TemplateResult {
  const ledger = answerTo(page.answers, ASK_LEDGER)
  if (ledger === undefined) return html`<h2>Ledger</h2>${waiting(page, ASK_LEDGER)}`
  const { totals, partitions, minutes } = ledger
  return html`<h2>Ledger</h2>
    ${staleNote(page, ASK_LEDGER)}
    <p class="equation">${equation(totals)}</p>
    ${minutes === null ? NO_MINUTES : byMinute(page, minutes)}
    <h3>By partition</h3>
    ${partitionTable(page, partitions)}`
}

const NO_MINUTES = html`<p class="trouble">ClickHouse does not answer: what it has by minute can’t be shown.</p>`

function byMinute(page: PageView, minutes: readonly LedgerMinute[]): TemplateResult {
  const failing = minutes.filter(({ balanced }) => !balanced).length
  return html`<p role="status">
      ${failing === 0 ? '✓ Every minute that was settled balances.' : `✕ ${failing} minutes do not balance: see below.`}
    </p>
    <h3>By minute</h3>
    ${minuteTable(page, minutes)} ${oneMinute(page, minutes)}`
}

function equation({ read, ...terms }: Answer<'ledger'>['totals']): TemplateResult {
  const all = Object.entries(terms)
  const sum = all.reduce((total, [, count]) => total + count, 0)
  const sign = sum === read ? '=' : '≠'
  return html`read <strong>${countText(read)}</strong> ${sign}
    ${all.map(([name, count], i) => html`${i === 0 ? nothing : ' + '}${name} <strong>${countText(count)}</strong>`)}`
}

function minuteTable(page: PageView, minutes: readonly LedgerMinute[]): TemplateResult {
  const link = ({ minute }: LedgerMinute) => addressText(withParams(page.address, { minute }))
  return table<LedgerMinute>(page, {
    caption: 'The ledger by minute',
    rows: minutes,
    empty: 'ClickHouse has no minute of the ledger yet.',
    rowClass: ({ balanced }) => (balanced ? '' : 'holds'),
    columns: [
      {
        key: 'minute',
        name: 'minute, UTC',
        value: ({ minute }) => minute,
        cell: (row) => html`<a href=${link(row)}>${timeText(row.minute)}</a>`,
      },
      { key: 'ok', name: 'balances', value: ({ balanced }) => (balanced ? '✓ yes' : '✕ no') },
      { key: 'read', name: 'read', right: true, value: ({ read }) => read, cell: ({ read }) => countText(read) },
      { key: 'counted', name: 'counted', right: true, value: ({ counted }) => counted, cell: ({ counted }) => countText(counted) },
      { key: 'late', name: 'late', right: true, value: ({ late }) => late, cell: ({ late }) => countText(late) },
      { key: 'invalid', name: 'invalid', right: true, value: ({ invalid }) => invalid, cell: ({ invalid }) => countText(invalid) },
      { key: 'unaccounted', name: 'in no term', right: true, value: (row) => row.unaccounted, cell: (row) => countText(row.unaccounted) },
      {
        key: 'windows',
        name: 'counted into windows',
        right: true,
        value: (row) => row.windowEvents,
        cell: (row) => countText(row.windowEvents),
      },
      { key: 'results', name: 'in results', right: true, value: (row) => row.resultEvents, cell: (row) => countText(row.resultEvents) },
      { key: 'missing', name: 'missing', right: true, value: ({ missing }) => missing, cell: ({ missing }) => countText(missing) },
    ],
  })
}

const MINUTE_MS = 60_000

/** Of the minute in the address: where it fails, and its windows. */
function oneMinute(page: PageView, minutes: readonly LedgerMinute[]): Shown {
  const wanted = page.address.params.minute
  const minute = minutes.find((each) => each.minute === wanted)
  if (minute === undefined) return nothing
  const from = Date.parse(minute.minute)
  const windows = answerTo(page.answers, ASK_WINDOWS)?.windows.filter(
    ({ start }) => Date.parse(start) >= from && Date.parse(start) < from + MINUTE_MS,
  )
  const close = addressText(withParams(page.address, { minute: '' }))
  return html`<section class="one">
    <h3>${timeText(minute.minute)} <a href=${close}>close</a></h3>
    <p>${faultText(minute)}</p>
    <pre><code>npx ctr query "SELECT * FROM ctr_reconciliation WHERE minute = toDateTime('${timeText(minute.minute)}', 'UTC')"</code></pre>
    ${
      windows === undefined
        ? waiting(page, ASK_WINDOWS)
        : table<ResultWindow>(page, {
            caption: 'Windows that begin in this minute',
            rows: windows,
            empty: 'None of the newest windows begins in this minute.',
            columns: [
              { key: 'start', name: 'window begins, UTC', value: ({ start }) => start, cell: ({ start }) => timeText(start) },
              { key: 'products', name: 'products', right: true, value: (row) => row.products, cell: (row) => countText(row.products) },
              {
                key: 'impressions',
                name: 'impressions',
                right: true,
                value: (row) => row.impressions,
                cell: (row) => countText(row.impressions),
              },
              { key: 'clicks', name: 'clicks', right: true, value: (row) => row.clicks, cell: (row) => countText(row.clicks) },
              { key: 'ctr', name: 'CTR', right: true, value: (row) => row.ctr, cell: (row) => ratioText(row.ctr) },
              { key: 'emitted', name: 'last written', value: (row) => row.lastWrittenAt, cell: (row) => timeText(row.lastWrittenAt) },
            ],
          })
    }
  </section>`
}

function faultText({ balanced, unaccounted, missing, windowEvents, resultEvents }: LedgerMinute): string {
  if (balanced) return `It balances: ${countText(windowEvents)} events were counted into its windows, and the results have as many.`
  const lost = unaccounted === 0 ? '' : ` ${countText(unaccounted)} records that were read are in no term.`
  const rows =
    missing === 0 ? '' : ` ${countText(windowEvents)} events were counted into its windows, the results have ${countText(resultEvents)}.`
  const remedy = ' Parked rows and rows that were deleted by hand show as missing; docs/results.md says how to look further.'
  return `It does not balance.${lost}${rows}${remedy}`
}

function partitionTable(page: PageView, partitions: readonly LedgerPartition[]): TemplateResult {
  return table<LedgerPartition>(page, {
    caption: 'The ledger by partition',
    rows: partitions,
    empty: 'This process has no partitions.',
    rowClass: ({ unaccountedRecords }) => (unaccountedRecords === 0 ? '' : 'holds'),
    columns: [
      { key: 'partition', name: 'partition', value: ({ topic, partition }) => `${topic}/${partition}` },
      ...termColumns(partitions[0]),
      {
        key: 'notAccounted',
        name: 'in no term',
        right: true,
        value: (row) => row.unaccountedRecords,
        cell: (row) => countText(row.unaccountedRecords),
      },
    ],
  })
}

/** All that the engine counts records by, whichever that are. */
function termColumns(sample: LedgerPartition | undefined) {
  return (Object.keys(sample?.records ?? {}) as (keyof LedgerPartition['records'])[]).map((term) => ({
    key: `of-${term}`,
    name: term,
    right: true,
    value: ({ records }: LedgerPartition) => records[term],
    cell: ({ records }: LedgerPartition) => countText(records[term]),
  }))
}
