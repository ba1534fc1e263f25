/** Where the fields of an event lie in a Protobuf message, and whether what lies there can be what it is wanted for. */
import { type EventRules, FIELD_PRODUCT, FIELD_TIME, FIELD_TYPE, FIELD_USER, FIELDS } from './event-rules.ts'
import type { TreeKey, TreeNode } from './field-tree.ts'
import type { ProtoField, ProtoMessage, ProtoScalar } from './proto-schema.ts'

/** Kinds of fields on the wire. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, group: 3, groupEnd: 4, fixed32: 5 } as const

/** What a field of an event is read as: `timestamp` is google.protobuf.Timestamp; `none` is nothing that has one value. */
export type ProtoValue = Exclude<ProtoScalar, 'message'> | 'timestamp' | 'none'

const WIRES: { readonly [type in ProtoScalar]?: number } = {
  fixed64: WIRE.fixed64,
  sfixed64: WIRE.fixed64,
  double: WIRE.fixed64,
  fixed32: WIRE.fixed32,
  sfixed32: WIRE.fixed32,
  float: WIRE.fixed32,
  string: WIRE.bytes,
  bytes: WIRE.bytes,
  message: WIRE.bytes,
}

/** How a field that doesn't repeat itself is written. */
export function wireOf({ type, isMap }: ProtoField): number {
  return isMap ? WIRE.bytes : (WIRES[type] ?? WIRE.varint)
}

const WRAPPER = /^google\.protobuf\.(?:String|Bytes|Bool|U?Int(?:32|64)|Float|Double|)Value$/

/** The one field of a message that stands for a value which may be missing; undefined for other messages. */
export function wrappedIn(message: ProtoMessage | undefined): ProtoField | undefined {
  return message !== undefined && WRAPPER.test(message.name) && message.fields.length === 1 ? message.fields[0] : undefined
}

/** What the value of a field is, to a key inside which nothing is looked for. */
export function valueOfField({ type, message, isRepeated, isMap }: ProtoField): ProtoValue {
  if (isRepeated || isMap) return 'none'
  if (type !== 'message') return type
  if (message?.name === 'google.protobuf.Timestamp') return 'timestamp'
  const wrapped = wrappedIn(message)
  return wrapped === undefined ? 'none' : valueOfField(wrapped)
}

/** Whether a value can be that of a field. */
export function protoCanBe(field: number, value: ProtoValue, { productNumbers }: EventRules): boolean {
  if (value === 'string' || value === 'enum') return field !== FIELD_TIME || value === 'string'
  if (value === 'none' || value === 'bytes') return false
  if (value === 'timestamp') return field === FIELD_TIME
  switch (field) {
    case FIELD_TYPE:
      return true
    case FIELD_PRODUCT:
      return productNumbers && value !== 'bool' && value !== 'float' && value !== 'double'
    case FIELD_TIME:
      return value !== 'bool'
    default:
      return false
  }
}

/** The key that a field is looked for as. */
export function keyOfField({ name }: ProtoField, node: TreeNode | undefined): TreeKey | undefined {
  return node?.keys.find(({ text }) => text === name)
}

/** How many values of a message each field can come from. */
export function protoSites(root: ProtoMessage, tree: TreeNode): readonly number[] {
  const sites = FIELDS.map(() => 0)
  visit(root, tree, (key) => {
    if (key.field >= 0) sites[key.field]!++
  })
  return sites
}

/** Why no value of the message can be an event, in words; undefined when some can. */
export function protoFault(root: ProtoMessage, tree: TreeNode, rules: EventRules): string | undefined {
  const usable = FIELDS.map(() => false)
  const wrong = FIELDS.map((): string[] => [])
  visit(root, tree, ({ field, text }, value, type) => {
    if (field < 0) return
    if (protoCanBe(field, value, rules)) usable[field] = true
    else wrong[field]!.push(`${text} is of ${type}`)
  })
  const wanted = [
    rules.click < 0 ? FIELD_TYPE : -1,
    FIELD_PRODUCT,
    rules.userRequired ? FIELD_USER : -1,
    rules.timeOfRecord ? -1 : FIELD_TIME,
  ]
  const words = wanted
    .filter((field) => field >= 0 && !usable[field])
    .map((field) => {
      const name = `events.fields.${FIELDS[field]}`
      const places = rules.places[field]!.map((steps = []) => steps.join('.')).join(' nor at ')
      if (wrong[field]!.length > 0) return `${wrong[field]!.join(', ')}, which ${name} can't be`
      return `the message ${root.name} has nothing at ${places} (${name})`
    })
  return words.length === 0 ? undefined : words.join('; ')
}

/** Calls `site` for every value on the way to fields. Maps have texts and other plain values, messages in them are not looked into. */
function visit(message: ProtoMessage, node: TreeNode, site: (key: TreeKey, value: ProtoValue, type: string) => void): void {
  for (const field of message.fields) {
    const key = keyOfField(field, node)
    if (key === undefined) continue
    const type = field.isRepeated ? `repeated ${field.type}` : (field.message?.name ?? field.type)
    site(key, key.inside === undefined ? valueOfField(field) : 'none', type)
    if (key.inside === undefined || field.isRepeated) continue
    if (field.isMap) for (const inside of key.inside.keys) site(inside, valueInMap(field), field.type)
    else if (field.message !== undefined) visit(field.message, key.inside, site)
  }
}

/** What the values of a map are. */
export function valueInMap({ type }: ProtoField): ProtoValue {
  return type === 'message' ? 'none' : type
}
