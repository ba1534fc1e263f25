/**
 * Rewrites what the documents repeat of the code, the tables of configuration keys and metrics and the reference of commands: npm run docs.
 * A part stands between a line <!-- name --> and a line <!-- /name -->. A test tells when one is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { KEYS, type Key } from '../src/config/catalog.ts'
import { configSchema } from '../src/config/schema.ts'
import { valueAt } from '../src/config/tree.ts'
import { formatDuration, formatSize } from '../src/config/units.ts'
import { METRICS } from '../src/metrics/metrics.ts'
import { ROUTES } from '../src/server/routes.ts'
import { somePartition, someStats } from '../workshop/stats.ts'
import { commandReference } from './commands.ts'

/** A part of a document that is made from the code. */
export interface MadePart {
  /** Path of the document from the root of the repository. */
  readonly file: string
  readonly name: string
  readonly make: () => string
}

/** All of them. */
export const MADE_PARTS: readonly MadePart[] = [
  { file: 'docs/configuration.md', name: 'configuration', make: configurationTable },
  { file: 'docs/metrics.md', name: 'routes', make: routesTable },
  { file: 'docs/metrics.md', name: 'metrics', make: metricsTable },
  { file: 'docs/commands.md', name: 'commands', make: commandReference },
]

/** The document's text with the part made anew. Throws when there is no place for it. */
export function withPart(text: string, { file, name, make }: MadePart): string {
  const place = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`)
  if (!place.test(text)) throw new Error(`${file} has no <!-- ${name} --> … <!-- /${name} -->`)
  return text.replace(place, (_, open: string, close: string) => `${open}${make()}\n${close}`)
}

function configurationTable(): string {
  const defaults = configSchema.parse({})
  // Elements of a list are described with it; the name and format of a topic are not the same as the list.
  const fields = KEYS.filter(({ path, field }) => field !== undefined && !path.endsWith('[]'))
  const rows = fields.map((key) => [
    `\`${key.path}\``,
    key.field?.kind === 'list' ? code(listed(key.field.default)) : code(shown(key, valueAt(defaults, key.path.split('.')))),
    range(key),
    key.description,
  ])
  return table(['key', 'default', 'values', 'meaning'], rows)
}

function shown({ field }: Key, value: unknown): string {
  if (field?.default !== undefined) return String(field.default)
  if (typeof value !== 'number') return value === undefined ? '' : String(value)
  return field?.kind === 'duration' ? formatDuration(value) : String(value)
}

function listed(value: unknown): string {
  const items = Array.isArray(value) ? value : []
  return items.map((item: unknown) => (typeof item === 'string' ? item : String((item as { name: unknown }).name))).join(', ')
}

function range({ field }: Key): string {
  const { kind, min, max, choices = [] } = field ?? {}
  const between = (format: (value: number) => string) =>
    min === undefined || max === undefined ? [] : [`${format(min)} to ${format(max)}`]
  if (kind === 'duration') return between(formatDuration).join()
  if (kind === 'size') return between(formatSize).join()
  if (kind === 'integer') return [...choices, ...between(String)].join(', ')
  if (kind === 'choice') return choices.join(', ')
  if (kind === 'flag') return 'true, false'
  if (kind === 'list') return 'a list, or text with commas'
  if (kind === 'pem') return 'a path, or PEM text'
  return kind === 'time' ? 'ISO-8601, or ms' : 'text'
}

function routesTable(): string {
  const rows = Object.values(ROUTES).map(({ method, path, what, guarded }) => {
    return [`\`${method} ${path}\``, what, guarded ? 'who has `http.token`; without one, the loopback' : 'everybody']
  })
  return table(['route', 'does', 'for'], rows)
}

function metricsTable(): string {
  const stats = someStats({
    topics: [{ topic: 'clicks', events: 1 }],
    invalid: [{ reason: 'EMPTY', count: 1 }],
    tasks: [{ task: 0, watermark: 0 }],
    partitions: [somePartition()],
    rings: [{ worker: 0, fill: 0 }],
  })
  const rows = METRICS.map(({ name, type, help, samples }) => {
    const labels = new Set(samples(stats, 0).flatMap((sample) => Object.keys(sample.labels)))
    labels.delete('le')
    return [`\`${name}\``, type, [...labels].map(code).join(', '), help]
  })
  return table(['metric', 'kind', 'labels', 'meaning'], rows)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``
}

if (import.meta.main) {
  for (const part of MADE_PARTS) {
    const path = fileURLToPath(new URL(`../${part.file}`, import.meta.url))
    writeFileSync(path, withPart(readFileSync(path, 'utf8'), part))
  }
}
