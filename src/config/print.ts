/**
 * The effective configuration as YAML that can be loaded again: units as people write them, secrets masked, and behind each value where it
 * comes from. And what differs between two of them.
 */
import { isDeepStrictEqual } from 'node:util'
import { stringify } from 'yaml'
import { maskSecrets } from '../text.ts'
import { KEYS, keyAt } from './catalog.ts'
import type { FieldInfo } from './fields.ts'
import type { WrittenConfig } from './load.ts'
import { type Config, configSchema } from './schema.ts'
import { isTree, valueAt } from './tree.ts'
import { formatDuration, formatSize } from './units.ts'

/** What stands in place of a secret that is set. */
const MASK = '***'

/** One line per key; keys that are not set and have no default are left out. */
export function printConfig({ config, originOf }: WrittenConfig): string {
  const lines: string[] = []
  for (const { path, field } of KEYS) {
    if (path.includes('[]')) continue
    const parts = path.split('.')
    const value = valueAt(config, parts)
    if (value === undefined) continue
    const name = `${'  '.repeat(parts.length - 1)}${parts.at(-1)}:`
    lines.push(isTree(value) ? name : `${name} ${inline(shown(value, field, path))}  # ${originOf(parts)}`)
  }
  return `${lines.join('\n')}\n`
}

/** A line for each key whose values differ, with where each comes from; of secrets only that they differ. */
export function configDifferences(a: WrittenConfig, b: WrittenConfig): string[] {
  return KEYS.flatMap(({ path, field }) => {
    if (path.includes('[]')) return []
    const parts = path.split('.')
    const [left, right] = [valueAt(a.config, parts), valueAt(b.config, parts)]
    if (isTree(left) || isTree(right) || isDeepStrictEqual(left, right)) return []
    const side = (value: unknown, { originOf }: WrittenConfig) =>
      value === undefined ? 'nothing' : `${inline(shown(value, field, path))} (${originOf(parts)})`
    return [`${path}: ${side(left, a)} → ${side(right, b)}`]
  })
}

/** The keys that have a value, as JSON: values as printConfig writes them. */
export function configValues(config: Config): { key: string; value: unknown; isDefault: boolean }[] {
  const defaults = configSchema.parse({})
  return KEYS.flatMap(({ path, field }) => {
    const value = path.includes('[]') ? undefined : valueAt(config, path.split('.'))
    if (value === undefined || isTree(value)) return []
    return [
      { key: path, value: shown(value, field, path) ?? null, isDefault: isDeepStrictEqual(value, valueAt(defaults, path.split('.'))) },
    ]
  })
}

/** Of what `path` leads to, a key or an element of a list. */
function shown(value: unknown, field: FieldInfo | undefined, path: string): unknown {
  if (field?.kind === 'pem') return typeof value === 'string' && value.includes('-----BEGIN ') ? MASK : value
  if (field?.secret) return value === '' ? '' : MASK
  if (field?.kind === 'duration' && typeof value === 'number') return Number.isFinite(value) ? formatDuration(value) : field.choices?.[0]
  if (field?.kind === 'share' && typeof value === 'number') return `${Number((value * 100).toFixed(6))}%`
  if (field?.kind === 'size' && typeof value === 'number') return formatSize(value)
  if (field?.kind === 'time' && typeof value === 'number') return new Date(value).toISOString()
  if (Array.isArray(value)) return value.map((one: unknown) => (isTree(one) ? element(one, `${path}[]`) : shown(one, undefined, path)))
  return typeof value === 'string' ? maskSecrets(value) : value
}

function element(one: Record<string, unknown>, path: string): Record<string, unknown> {
  const entries = Object.entries(one).map(([name, value]): [string, unknown] => {
    const at = `${path}.${name}`
    return [name, isTree(value) ? element(value, at) : shown(value, keyAt(at.split('.'))?.field, at)]
  })
  return Object.fromEntries(entries)
}

function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim()
}
