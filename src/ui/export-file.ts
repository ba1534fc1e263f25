/**
 * The export: answers of `/api/v1` by their path, in one JSON file that the page opens again without the engine. What a file holds is not
 * trusted: it goes through the same templates as answers do.
 */
import type { Answer, ApiQuestion, KeptAnswers } from './answers.ts'
import { question } from './answers.ts'
import { PRODUCTS_MAX } from './needs.ts'

const FORMAT = 'ctr-export'
const VERSION = 1
const LAST_HOUR_MS = 3_600_000

interface Exported {
  readonly format: typeof FORMAT
  readonly version: typeof VERSION
  /** ISO. */
  readonly at: string
  readonly answers: Readonly<Record<string, unknown>>
}

/** What an export asks for. */
export const EXPORTED: readonly ApiQuestion[] = [
  question('state', 0),
  question('history', 0, { span: '15m' }),
  question('history', 0, { span: '6h' }),
  question('partitions', 0),
  question('windows', 0, { limit: '200' }),
  question('products', 0, { by: 'impressions', span: '1h', limit: PRODUCTS_MAX }),
  question('products', 0, { by: 'clicks', span: '1h', limit: PRODUCTS_MAX }),
  question('products', 0, { by: 'ctr', span: '1h', limit: PRODUCTS_MAX }),
  question('products', 0, { by: 'movers', span: '1h', limit: PRODUCTS_MAX }),
  question('checkpoints', 0),
  question('deadLetters', 0),
  question('ledger', 0),
  question('quality', 0),
  question('config', 0),
  question('events', 0),
]

/** The text of the file; what could not be had is left out. */
export function exportText(answers: ReadonlyMap<string, unknown>, at: Date): string {
  const kept = [...answers].map(([path, value]) => [path, path === 'history?span=6h' ? lastHour(value as Answer<'history'>) : value])
  const exported: Exported = { format: FORMAT, version: VERSION, at: at.toISOString(), answers: Object.fromEntries(kept) }
  return JSON.stringify(exported)
}

function lastHour(history: Answer<'history'>): Answer<'history'> {
  const values = Object.values(history.series)[0]?.length ?? 0
  const skipped = Math.max(0, values - Math.ceil(LAST_HOUR_MS / 1000 / history.stepSeconds))
  const from = new Date(Date.parse(history.from) + skipped * history.stepSeconds * 1000).toISOString()
  const series = Object.fromEntries(Object.entries(history.series).map(([name, column]) => [name, column.slice(skipped)]))
  return { ...history, from, series: series as Answer<'history'>['series'] }
}

/** What a file holds: when it was made, and its answers. Throws Error, in words for who opened it, when it is none of ours. */
export function openExport(text: string): { readonly at: string; readonly answers: KeptAnswers } {
  const { format, version, at, answers } = parsed(text)
  if (format !== FORMAT) throw new Error('this file is no export of ctr: it must be one that “Save as a file” has made')
  if (version !== VERSION) throw new Error(`this export has version ${String(version)}; this page reads version ${VERSION}`)
  if (typeof at !== 'string' || Number.isNaN(Date.parse(at)) || typeof answers !== 'object' || answers === null)
    throw new Error('this export is not whole: its time or its answers are missing')
  const askedAtMs = Date.parse(at)
  return { at, answers: new Map(Object.entries(answers).map(([path, value]) => [path, { value, error: '', askedAtMs }])) }
}

function parsed(text: string): { readonly [key in keyof Exported]?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch (cause) {
    throw new Error('this file is no JSON, or was cut off', { cause })
  }
}
