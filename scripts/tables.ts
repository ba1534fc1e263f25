/**
 * Rewrites the README's tables of configuration keys and metrics from the code: npm run docs.
 * A table stands between a line <!-- name --> and a line <!-- /name -->. A test tells when one is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { KEYS, type Key } from '../src/config/catalog.ts'
import { configSchema } from '../src/config/schema.ts'
import { valueAt } from '../src/config/tree.ts'
import { formatDuration, formatSize } from '../src/config/units.ts'
import { METRICS } from '../src/metrics/metrics.ts'
import { somePartition, someStats } from '../workshop/stats.ts'

/** Path of the file that holds the tables. */
export const README = fileURLToPath(new URL('../README.md', import.meta.url))

/** The text with every table made anew. Throws when one of them has no place in it. */
export function withTables(text: string): string {
  return [['configuration', configurationTable()] as const, ['metrics', metricsTable()] as const].reduce((before, [name, table]) => {
    const place = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`)
    if (!place.test(before)) throw new Error(`README.md has no <!-- ${name} --> … <!-- /${name} -->`)
    return before.replace(place, (_, open: string, close: string) => `${open}${table}\n${close}`)
  }, text)
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

if (import.meta.main) writeFileSync(README, withTables(readFileSync(README, 'utf8')))
