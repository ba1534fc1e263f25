/** What protobufjs makes of a Protobuf value, judged by the exact parser of JSON. */
import protobuf from 'protobufjs'
import type { ExactJson } from '../src/format/json-exact.ts'
import { REASON, REASONS } from '../src/format/reasons.ts'
import { EventSlot, SLOT_CLICK, SLOT_PRODUCT_END } from '../src/format/slot.ts'
import type { Said } from './both-parsers.ts'

/** The message of a file. */
export function protobufjsType(text: string, name: string): protobuf.Type {
  const { root, imports } = protobuf.parse(text, { keepCase: true })
  for (const path of imports ?? []) root.addJSON(protobuf.common.get(path)!.nested!)
  root.resolveAll()
  return root.lookupType(name)
}

const slot = new EventSlot()

/** What the value is by JSON's rules, or why protobufjs refuses it. */
export function protobufjsSays(type: protobuf.Type, value: Uint8Array, exact: ExactJson): Said | string {
  let decoded: object
  try {
    decoded = type.decode(value)
  } catch (error) {
    return (error as Error).message
  }
  const json = Buffer.from(write(type, decoded))
  const verdict = exact.parse(json, 0, json.length, slot)
  if (verdict < 0) return { verdict: 'IGNORED' }
  if (verdict !== REASON.VALID) return { verdict: REASONS[verdict]! }
  const product = Buffer.from(slot.product.subarray(0, slot.ints[SLOT_PRODUCT_END]!)).toString()
  return { verdict: 'VALID', product, click: slot.ints[SLOT_CLICK] === 1, time: slot.time[0]! }
}

function write(type: protobuf.Type, value: object): string {
  const members = type.fieldsArray.flatMap((field) => {
    const isThere = Object.hasOwn(value, field.name)
    const isLeft =
      !field.hasPresence && !field.repeated && !field.map && (field.type === 'bool' || field.resolvedType instanceof protobuf.Enum)
    const isMessage = field.resolvedType instanceof protobuf.Type
    if (!isThere && !field.repeated && !field.map && (field.hasPresence || isMessage)) return [`${JSON.stringify(field.name)}:null`]
    if ((!isThere && !isLeft) || (field.repeated && ((value as never)[field.name] as never[]).length === 0)) return []
    return [`${JSON.stringify(field.name)}:${writeField(field, (value as never)[field.name])}`]
  })
  return `{${members.join(',')}}`
}

function writeField(field: protobuf.Field, value: unknown): string {
  if (field.repeated) return '[]'
  if (!field.map) return writeValue(field, value)
  const entries = Object.entries(value as object).map(([key, item]) => `${JSON.stringify(key)}:${writeValue(field, item)}`)
  return `{${entries.join(',')}}`
}

function writeValue(field: protobuf.Field, value: unknown): string {
  const { resolvedType } = field
  if (resolvedType instanceof protobuf.Enum) return JSON.stringify(resolvedType.valuesById[value as number] ?? value)
  if (resolvedType instanceof protobuf.Type) return writeMessage(resolvedType, value as object)
  if (field.type === 'string') return JSON.stringify(value)
  if (field.type === 'bytes') return '{}'
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'NaN'
  return String(value)
}

function writeMessage(type: protobuf.Type, value: object): string {
  if (type.fullName === '.google.protobuf.Timestamp') {
    const { seconds, nanos } = value as { seconds: { toNumber(): number }; nanos: number }
    if (nanos < 0 || nanos > 999_999_999) return '{}'
    const ms = Number(seconds) * 1000 + Math.floor(nanos / 1e6)
    return ms > 0 && ms < 253_402_300_800_000 ? `"${new Date(ms).toISOString()}"` : '"1970-01-01T00:00:00Z"'
  }
  if (/^\.google\.protobuf\.\w*Value$/.test(type.fullName)) return writeValue(type.fieldsArray[0]!, (value as { value: unknown }).value)
  return write(type, value)
}
