/**
 * The effective configuration as YAML that can be loaded again: units as people write them, secrets masked, and what isn't a default
 * marked.
 */
import { stringify } from 'yaml'
import { KEYS } from './catalog.ts'
import type { FieldInfo } from './fields.ts'
import type { WrittenConfig } from './load.ts'
import { isTree, valueAt } from './tree.ts'
import { formatDuration, formatSize } from './units.ts'

/** What stands in place of a secret that is set. */
const MASK = '***'

/** One line per key; keys that are not set and have no default are left out. */
export function printConfig({ config, whereOf }: WrittenConfig): string {
  const lines: string[] = []
  for (const { path, field } of KEYS) {
    if (path.includes('[]')) continue
    const parts = path.split('.')
    const value = valueAt(config, parts)
    if (value === undefined) continue
    const name = `${'  '.repeat(parts.length - 1)}${parts.at(-1)}:`
    if (isTree(value)) {
      lines.push(name)
      continue
    }
    const where = whereOf(parts)
    const given = where === undefined || field === undefined ? '' : `  # ${where}`
    lines.push(`${name} ${inline(shown(value, field))}${given}`)
  }
  return `${lines.join('\n')}\n`
}

function shown(value: unknown, field: FieldInfo | undefined): unknown {
  if (field?.kind === 'pem') return typeof value === 'string' && value.includes('-----BEGIN ') ? MASK : value
  if (field?.secret) return value === '' ? '' : MASK
  if (field?.kind === 'duration' && typeof value === 'number') return formatDuration(value)
  if (field?.kind === 'size' && typeof value === 'number') return formatSize(value)
  if (field?.kind === 'time' && typeof value === 'number') return new Date(value).toISOString()
  return value
}

function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim()
}
