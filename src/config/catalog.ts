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

/** What a key costs that was not meant: a letter that differs in its name, and another section. */
const COST_LETTER = 2
const COST_ELSEWHERE_MAX = 3
/** A part of a name such as user, for username, is taken for it. */
const PART_MIN_LENGTH = 4
/** So many equally near ones are named. */
const NEAREST_MAX = 3

/**
 * The known keys that were most likely meant by the unknown `name` inside `section` (a dotted path, '' for the root): those of the nearest
 * name, in the nearest section. A name in another section must be nearly the same.
 */
export function nearestKeys(section: string, name: string): string[] {
  const whole = plain(section + name)
  const ranked = KEYS.flatMap(({ path }) => {
    const [parent, last] = [path.slice(0, Math.max(0, path.lastIndexOf('.'))), lastPart(path)]
    if (path.endsWith('[]')) return []
    if (plain(path) === whole) return [{ path, cost: 0 }]
    const here = parent === section
    const partOf = here && name.length >= PART_MIN_LENGTH && plain(last).includes(plain(name))
    const letters = partOf ? 1 : distance(plain(name), plain(last))
    const lettersMax = here ? Math.max(2, Math.floor(name.length / 3)) : Math.floor(name.length / 4)
    if (letters > lettersMax || letters >= last.length) return []
    const elsewhere = here ? 0 : section === '' ? 1 : Math.min(COST_ELSEWHERE_MAX, distance(plain(section), plain(parent)))
    return [{ path, cost: COST_LETTER * letters + elsewhere }]
  })
  const least = Math.min(...ranked.map(({ cost }) => cost))
  const nearest = ranked.filter(({ cost }) => cost === least).map(({ path }) => path)
  return nearest.length > NEAREST_MAX ? [] : nearest
}

/** group_id, group-id and groupId are the same word; window_size is window.size. */
function plain(name: string): string {
  return name.replaceAll(/[._-]|\[\]/g, '').toLowerCase()
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

/** What to do about an unknown key, whose list indices are numbers: the nearest known ones, or how to see them all. */
export function suggestion(path: readonly PropertyKey[]): string {
  const section = path.slice(0, -1)
  const near = nearestKeys(dotted(section, true), String(path.at(-1)))
  // Of the same list the element that was written.
  const named = near.map((key) => (key.startsWith(`${dotted(section, true)}.`) ? `${dotted(section)}.${lastPart(key)}` : key))
  return named.length === 0 ? '`ctr config print` shows all keys' : `did you mean ${named.join(' or ')}?`
}
