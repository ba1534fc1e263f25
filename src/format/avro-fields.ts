/** Where the fields of an event lie in an Avro schema, and whether what lies there can be what it is wanted for. */
import type { AvroField, AvroRecord, AvroType } from './avro-schema.ts'
import { type EventRules, FIELD_PRODUCT, FIELD_TIME, FIELD_TYPE, FIELD_USER, FIELDS } from './event-rules.ts'
import type { TreeKey, TreeNode } from './field-tree.ts'
import { SchemaFault } from './schema-fault.ts'

/** Unions of unions have as many values on the way as the product of their branches; of more it is no schema to read by. */
const VISITS_MAX = 100_000

/** By the record's fields, the key that each is looked for as: by its name, else by a name that it had, if no other field has that. */
export function keysOf({ fields }: AvroRecord, node: TreeNode): readonly (TreeKey | undefined)[] {
  const taken = new Set(fields.map(({ name }) => name))
  return fields.map(({ name, aliases }: AvroField) => {
    const byName = node.keys.find(({ text }) => text === name)
    if (byName !== undefined) return byName
    const byAlias = node.keys.find(({ text }) => !taken.has(text) && aliases.includes(text))
    if (byAlias !== undefined) taken.add(byAlias.text)
    return byAlias
  })
}

/** Whether values of a type that is neither null nor a union can be those of a field. */
export function canBe(field: number, type: AvroType, { productNumbers }: EventRules): boolean {
  const { kind } = type
  if (kind === 'string' || kind === 'enum') return true
  if (isTimeOfDay(type)) return false
  const isInteger = kind === 'int' || kind === 'long'
  const isNumber = isInteger || kind === 'float' || kind === 'double' || isDecimal(type)
  switch (field) {
    case FIELD_TYPE:
      return isNumber || kind === 'boolean'
    case FIELD_PRODUCT:
      return productNumbers && (isInteger || (isDecimal(type) && type.scale === 0))
    case FIELD_TIME:
      return isNumber
    default:
      return false
  }
}

/** Numbers of arbitrary length. */
export function isDecimal(type: AvroType): type is AvroType & { readonly scale: number } {
  return (type.kind === 'bytes' || type.kind === 'fixed') && type.logical === 'decimal'
}

/** A date without a time, or a time without a date. */
export function isTimeOfDay(type: AvroType): boolean {
  return 'logical' in type && (type.logical === 'date' || type.logical.startsWith('time-'))
}

/** What a timestamp counts. */
export function timestampUnit(logical: string): 'ms' | 'us' | 'ns' | undefined {
  if (logical.endsWith('timestamp-millis')) return 'ms'
  if (logical.endsWith('timestamp-micros')) return 'us'
  return logical.endsWith('timestamp-nanos') ? 'ns' : undefined
}

/** How many values of a schema each field can come from. */
export function sitesOf(root: AvroType, tree: TreeNode): readonly number[] {
  const sites = FIELDS.map(() => 0)
  visit(root, tree, (key) => {
    if (key.field >= 0) sites[key.field]!++
  })
  return sites
}

/** Why no value of the schema can be an event, in words; undefined when some can. */
export function avroFault(root: AvroType, tree: TreeNode, rules: EventRules): string | undefined {
  const found = FIELDS.map((): string[] => [])
  const usable = FIELDS.map(() => false)
  let records = 0
  if (root.kind === 'record' || root.kind === 'map') records++
  else if (root.kind === 'union') records += root.branches.filter(({ kind }) => kind === 'record' || kind === 'map').length
  if (records === 0) return `it is a schema of ${root.kind}, where a record is wanted`
  visit(root, tree, ({ field, text }, type) => {
    if (field < 0) return
    if (canBe(field, type, rules)) usable[field] = true
    else found[field]!.push(`${text} is ${describe(type)}`)
  })
  const wanted = [
    rules.click < 0 ? FIELD_TYPE : -1,
    FIELD_PRODUCT,
    rules.userRequired ? FIELD_USER : -1,
    rules.timeOfRecord ? -1 : FIELD_TIME,
  ]
  const missing = wanted.filter((field) => field >= 0 && !usable[field])
  const words = missing.map((field) => {
    const name = `events.fields.${FIELDS[field]}`
    const places = rules.places[field]!.map((steps = []) => steps.join('.')).join(' nor at ')
    const wrong = found[field]!
    return wrong.length > 0 ? `${wrong.join(', ')}, which ${name} can't be` : `it has nothing at ${places} (${name})`
  })
  return words.length === 0 ? undefined : words.join('; ')
}

function describe(type: AvroType): string {
  const logical = 'logical' in type ? type.logical : ''
  const article = (word: string) => (/^[aei]/.test(word) ? `an ${word}` : `a ${word}`)
  return article(logical === '' ? type.kind : logical)
}

type Site = (key: TreeKey, type: AvroType) => void

/** Calls `site` for every value on the way to fields; unions are seen as their branches. */
function visit(type: AvroType, node: TreeNode, site: Site, visits = { left: VISITS_MAX }): void {
  const at = (key: TreeKey, value: AvroType): void => {
    if (--visits.left < 0) throw new SchemaFault(`there are more than ${VISITS_MAX} ways through its unions to the fields of an event`)
    if (value.kind === 'null') return
    if (value.kind === 'union') {
      for (const branch of value.branches) at(key, branch)
      return
    }
    site(key, value)
    if (key.inside !== undefined) visit(value, key.inside, site, visits)
  }
  if (type.kind === 'union') for (const branch of type.branches) visit(branch, node, site, visits)
  else if (type.kind === 'map') for (const key of node.keys) at(key, type.items)
  else if (type.kind === 'record') {
    keysOf(type, node).forEach((key, i) => {
      if (key !== undefined) at(key, type.fields[i]!.type)
    })
  }
}
