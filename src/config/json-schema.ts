/**
 * The configuration as JSON Schema (draft 2020-12), for editors: it accepts what the engine accepts, `${VAR}` in place of any value
 * included.
 */
import { z } from 'zod'
import { descriptionOf, fieldInside, unwrap } from './catalog.ts'
import type { FieldInfo } from './fields.ts'
import { configSchema } from './schema.ts'
import { formatDuration, formatSize } from './units.ts'

type Json = { [key: string]: unknown }

const VARIABLE: Json = { type: 'string', pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*(:[^}]*)?\\}' }

/**
 * The JSON Schema of a configuration file. Ranges of durations and sizes are in the
 * descriptions, since they are written with units; `x-unit` is the unit of a number alone, which a duration can't be.
 */
export function configJsonSchema(): Json {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'ctr configuration',
    ...convert(configSchema),
  }
}

function convert(schema: z.ZodType): Json {
  const inner = unwrap(schema)
  const info = fieldInside(schema)
  const description = descriptionOf(schema)
  if (inner instanceof z.ZodObject) return { ...(description === '' ? {} : { description }), ...section(inner) }
  if (inner instanceof z.ZodArray) {
    const items = convert(inner.element as z.ZodType)
    // An element that is a section may be given by its name alone.
    const element = 'properties' in items ? { anyOf: [items, { type: 'string' }] } : items
    const list = { type: 'array', items: element, minItems: 1 }
    return { description, default: info?.default, anyOf: [list, { type: 'string', description: 'Comma-separated.' }] }
  }
  const unit = info?.kind === 'size' ? { 'x-unit': 'bytes' } : {}
  return {
    description: described(description, info),
    ...unit,
    ...(info?.default === undefined ? {} : { default: info.default }),
    ...leaf(info),
  }
}

function section(schema: z.ZodObject): Json {
  const shape = Object.entries(schema.shape as Record<string, z.ZodType>)
  const required = shape.filter(([, child]) => !child.safeParse(undefined).success).map(([name]) => name)
  return {
    type: ['object', 'null'],
    properties: Object.fromEntries(shape.map(([name, child]) => [name, convert(child)])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  }
}

function leaf(info: FieldInfo | undefined): Json {
  switch (info?.kind) {
    case 'duration':
      return anyOf(
        { const: 0 },
        { type: 'string', pattern: '^(0|\\d+(\\.\\d+)?\\s*(ms|s|m|h|d))$' },
        ...(info.choices === undefined ? [] : [{ enum: info.choices }]),
      )
    case 'size':
      return anyOf({ type: 'integer', minimum: 0 }, { type: 'string', pattern: '^\\d+(\\.\\d+)?\\s*(B|KiB|MiB|GiB)?$' })
    case 'integer':
      return anyOf(
        { type: 'integer', minimum: info.min, maximum: info.max },
        ...(info.choices === undefined ? [] : [{ enum: info.choices }]),
      )
    case 'flag':
      return anyOf({ type: 'boolean' })
    case 'share':
      return anyOf(
        { type: 'number', minimum: info.min ?? 0, maximum: info.max ?? 1 },
        { type: 'string', pattern: '^\\d+(\\.\\d+)?\\s*%?$' },
      )
    case 'choice':
      return anyOf({ enum: info.choices })
    case 'time':
      return anyOf({ type: 'integer', minimum: 0 }, { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\d' })
    case 'text':
      return anyOf({
        type: 'string',
        minLength: info.min,
        maxLength: info.max,
        ...(info.pattern === undefined ? {} : { pattern: info.pattern.source }),
      })
    default:
      return { type: 'string' }
  }
}

function anyOf(...alternatives: Json[]): Json {
  return { anyOf: [...alternatives, VARIABLE, { type: 'null' }] }
}

function described(description: string, info: FieldInfo | undefined): string {
  if (info?.min === undefined || info.max === undefined) return description
  if (info.kind === 'duration') return `${description} From ${formatDuration(info.min)} to ${formatDuration(info.max)}, with its unit.`
  if (info.kind === 'size') return `${description} From ${formatSize(info.min)} to ${formatSize(info.max)}; a number alone is bytes.`
  return description
}
