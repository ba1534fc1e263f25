/** The keys of the configuration as a flat list, read off the schema: for suggestions, masking and printing. */
import { distance } from 'fastest-levenshtein'
import { z } from 'zod'
import { type FieldInfo, fieldInfoOf } from './fields.ts'
import { configSchema } from './schema.ts'

export interface Key {
  /** Dotted; `[]` stands for the elements of a list. */
  readonly path: string
  readonly description: string
  /** undefined for a section. */
  readonly field: FieldInfo | undefined
  readonly optional: boolean
}

/** The schema inside defaults, optionals, preprocessing and transforms. */
export function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return unwrap(schema.def.innerType as z.ZodType)
  }
  if (schema instanceof z.ZodPipe) {
    const inside = schema.def.in instanceof z.ZodTransform ? schema.def.out : schema.def.in
    return inside instanceof z.ZodUnknown ? schema : unwrap(inside as z.ZodType)
  }
  return schema
}

/** The metadata of the field, however it is wrapped: optionals carry none of their own. */
export function fieldInside(schema: z.ZodType): FieldInfo | undefined {
  const own = fieldInfoOf(schema)
  if (own !== undefined) return own
  return schema instanceof z.ZodOptional ? fieldInside(schema.def.innerType as z.ZodType) : undefined
}

/** The description of a schema, however it is wrapped. */
export function descriptionOf(schema: z.ZodType): string {
  if (schema.description !== undefined) return schema.description
  return schema instanceof z.ZodOptional ? descriptionOf(schema.def.innerType as z.ZodType) : ''
}

/** All keys, sections included, parents before children, in the schema's order. */
export const KEYS: readonly Key[] = walk(configSchema, '')

const BY_PATH = new Map(KEYS.map((key) => [key.path, key]))

/** The key at a path whose list indices are numbers. */
export function keyAt(path: readonly PropertyKey[]): Key | undefined {
  return BY_PATH.get(dotted(path, true))
}

/** `kafka.topics[0].name`; with `anyIndex`, `kafka.topics[].name`. */
export function dotted(path: readonly PropertyKey[], anyIndex = false): string {
  let out = ''
  for (const part of path) {
    if (typeof part === 'number') out += anyIndex ? '[]' : `[${part}]`
    else out += out === '' ? String(part) : `.${String(part)}`
  }
  return out
}

/** The known key that was most likely meant by the unknown `name` inside `section` (a dotted path, '' for the root). */
export function nearestKey(section: string, name: string): string | undefined {
  const prefix = section === '' ? '' : `${section}.`
  const siblings = KEYS.filter((key) => key.path.startsWith(prefix) && !/[.[]/.test(key.path.slice(prefix.length)))
  const near = nearest(
    name,
    siblings.map((key) => key.path.slice(prefix.length)),
  )
  if (near !== undefined) return `${prefix}${near}`
  const elsewhere = KEYS.filter((key) => plain(lastPart(key.path)) === plain(name) || plain(key.path) === plain(name))
  return elsewhere.length === 1 ? elsewhere[0]?.path : undefined
}

function nearest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of candidates) {
    const d = distance(plain(name), plain(candidate))
    if (d < bestDistance && d < candidate.length) {
      best = candidate
      bestDistance = d
    }
  }
  return best
}

/** group_id, group-id and groupId are the same word; window_size is window.size. */
function plain(name: string): string {
  return name.replaceAll(/[._-]/g, '').toLowerCase()
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1)
}

function walk(schema: z.ZodType, path: string, optional = false): Key[] {
  const inner = unwrap(schema)
  const own: Key[] = path === '' ? [] : [{ path, description: descriptionOf(schema), field: fieldInside(schema), optional }]
  if (inner instanceof z.ZodObject) {
    for (const [name, child] of Object.entries(inner.shape as Record<string, z.ZodType>)) {
      own.push(...walk(child, path === '' ? name : `${path}.${name}`, child instanceof z.ZodOptional))
    }
  }
  if (inner instanceof z.ZodArray) own.push(...walk(inner.element as z.ZodType, `${path}[]`))
  return own
}

/** What to do about an unknown key: the nearest known one, or how to see them all. */
export function suggestion(path: string): string {
  const dot = path.lastIndexOf('.')
  const near = nearestKey(dot < 0 ? '' : path.slice(0, dot), path.slice(dot + 1))
  return near === undefined ? '`ctr config print` shows all keys' : `did you mean ${near}?`
}
