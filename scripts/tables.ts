/**
 * Rewrites what the documents repeat of the code, the tables of configuration keys and metrics and the reference of commands: npm run docs.
 * A part stands between a line <!-- name --> and a line <!-- /name -->. A test tells when one is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { KEYS, type Key } from '../src/config/catalog.ts'
import { configSchema } from '../src/config/schema.ts'
import { valueAt } from '../src/config/tree.ts'
import { formatDuration, formatSize } from '../src/config/units.ts'
import { codesDocument } from '../src/explain/document.ts'
import { METRICS } from '../src/metrics/metrics.ts'
import { runbookSections } from '../src/monitoring/runbook.ts'
import { exitsTable } from '../src/privacy/exits.ts'
import type { ApiName } from '../src/server/api-schemas.ts'
import { exampleAddress, openApi } from '../src/server/openapi.ts'
import { API_ROUTES, ROUTES } from '../src/server/routes.ts'
import { labelsOf } from '../workshop/stats.ts'
import { chartValues } from './chart-schema.ts'
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
  { file: 'docs/http-api.md', name: 'api', make: apiTable },
  { file: 'docs/commands.md', name: 'commands', make: commandReference },
  { file: 'docs/kubernetes.md', name: 'values', make: valuesTable },
  { file: 'docs/runbook.md', name: 'runbook', make: runbookSections },
  { file: 'docs/errors.md', name: 'codes', make: codesDocument },
  { file: 'docs/privacy.md', name: 'exits', make: exitsTable },
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
  if (kind === 'share')
    return min === undefined || max === undefined ? '0% to 100%, 0 to 1' : `${min * 100}% to ${max * 100}%, ${min} to ${max}`
  if (kind === 'flag') return 'true, false'
  if (kind === 'list') return 'a list, or text with commas'
  if (kind === 'pem') return 'a path, or PEM text'
  return kind === 'time' ? 'ISO-8601, or ms' : 'text'
}

const WHO = {
  everybody: 'everybody',
  viewer: 'who bears a token; without any configured, the loopback',
  operator:
    "who bears an operator's token; without any configured, the loopback with `http.localSavepoints`; `ctr savepoint` of the same user",
}

function routesTable(): string {
  const rows = [...Object.values(ROUTES), ...Object.values(API_ROUTES)].map(({ method, path, what, who }) => [
    `\`${method} ${path}\``,
    what,
    WHO[who],
  ])
  return table(['route', 'does', 'for'], rows)
}

function apiTable(): string {
  const rows = (Object.keys(API_ROUTES) as ApiName[]).map((name) => {
    const { path, what } = API_ROUTES[name]
    const parameters = openApiParameters(name).map(({ name: parameter, schema }) => `\`${parameter}\`${valuesOf(schema)}`)
    return [code(path.replaceAll(/:(\w+)/g, '{$1}')), what, parameters.join(', '), code(exampleAddress(name))]
  })
  return table(['path', 'answers', 'may be asked', 'to try'], rows)
}

interface Parameter {
  readonly name: string
  readonly schema: { readonly enum?: readonly string[]; readonly default?: unknown; readonly maximum?: number }
}

function openApiParameters(name: ApiName): Parameter[] {
  const { paths } = openApi('') as { paths: Record<string, { get: { operationId: string; parameters: Parameter[] } }> }
  return Object.values(paths).find(({ get }) => get.operationId === name)?.get.parameters ?? []
}

function valuesOf({ enum: choices, default: usual, maximum }: Parameter['schema']): string {
  const values = choices === undefined ? (maximum === undefined ? '' : `up to ${maximum}`) : choices.join(', ')
  const both = [values, usual === undefined || usual === '' ? '' : `else ${usual}`].filter((text) => text !== '')
  return both.length === 0 ? '' : ` (${both.join('; ')})`
}

function metricsTable(): string {
  const rows = METRICS.map((metric) => {
    const labels = labelsOf(metric).filter((label) => label !== 'le')
    return [`\`${metric.name}\``, metric.type, labels.map(code).join(', '), metric.help]
  })
  return table(['metric', 'kind', 'labels', 'meaning'], rows)
}

function valuesTable(): string {
  const defaults: unknown = parse(readFileSync(fileURLToPath(new URL('../k8s/helm/ctr/values.yaml', import.meta.url)), 'utf8'))
  const rows = chartValues().map(({ path, description }) => [code(path), shortly(valueAt(defaults, path.split('.'))), description])
  return table(['value', 'default', 'meaning'], rows)
}

/** A default where it fits into a cell; sections and longer ones are in values.yaml. */
function shortly(value: unknown): string {
  const text = JSON.stringify(value) ?? ''
  return ['{}', '[]', '""', 'null', ''].includes(text) || text.length > 24 || text.startsWith('{') ? '' : code(text)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``
}

/** The text of docs/openapi.json. */
export function openApiText(): string {
  const { version } = JSON.parse(readFileSync(fileURLToPath(new URL('../package.json', import.meta.url)), 'utf8')) as { version: string }
  return `${JSON.stringify(openApi(version), null, 1)}\n`
}

if (import.meta.main) {
  writeFileSync(fileURLToPath(new URL('../docs/openapi.json', import.meta.url)), openApiText())
  for (const part of MADE_PARTS) {
    const path = fileURLToPath(new URL(`../${part.file}`, import.meta.url))
    writeFileSync(path, withPart(readFileSync(path, 'utf8'), part))
  }
}
