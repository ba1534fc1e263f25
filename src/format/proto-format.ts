/**
 * Protobuf as a format of records (schema-format.ts): between frame and value stands which message of the schema it is, as the path of its
 * index among the messages of the file and of those within others: the count of indexes and each of them, as zigzag varints; a single 0 is
 * short for the first message.
 */
import { fieldTree } from './field-tree.ts'
import { FRAME, isInHeader } from './frames.ts'
import { protoSource } from './proto-code.ts'
import { ExactProto } from './proto-exact.ts'
import { protoFault } from './proto-fields.ts'
import { ProtoTypes } from './proto-schema.ts'
import { protoText } from './proto-text.ts'
import { SchemaFault } from './schema-fault.ts'
import type { SchemaFormat } from './schema-format.ts'

/** Messages are not nested deeper. */
const INDEXES_MAX = 32

export const PROTOBUF: SchemaFormat = {
  type: 'protobuf',
  preambleBytes(bytes, start, end, kind) {
    if (isInHeader(kind) && start >= end) return 0
    // Glue writes an index in another way, but for the first message.
    if (kind === FRAME.glue) return start < end && bytes[start] === 0 ? 1 : -1
    let at = start
    for (let left = 1, isCount = true; left > 0; left--) {
      const first = bytes[at]!
      const isLong = first > 127
      if (at + (isLong ? 2 : 1) > end || (isLong && bytes[at + 1]! > 127)) return -1
      at += isLong ? 2 : 1
      if (isCount && ((first & 1) === 1 || isLong || first > INDEXES_MAX * 2)) return -1
      if (isCount) left += first >> 1
      isCount = false
    }
    return at - start
  },
  shortest(preamble) {
    // Of two bytes when one would do: the second is 0.
    return preamble
      .map((byte, i) => (preamble[i + 1] === 0 ? byte & 127 : byte))
      .filter((byte, i) => byte !== 0 || !isLong(preamble[i - 1]))
  },
  read(schema, rules) {
    const types = new ProtoTypes(schema)
    /** By message, so that each is looked at once. */
    const faults = new Map<string, string>()
    return {
      open(preamble, name) {
        const full = types.nameAt(indexesOf(preamble), name)
        const known = faults.get(full)
        if (known !== undefined) throw new SchemaFault(known)
        const message = types.message(full)
        const fault = protoFault(message, fieldTree(rules.places, rules.emptyAt).root, rules)
        if (fault !== undefined) {
          faults.set(full, fault)
          throw new SchemaFault(fault)
        }
        const text = (bytes: Uint8Array) => protoText(message, bytes)
        return { exact: new ExactProto(message, rules), source: protoSource(message, rules), text }
      },
    }
  },
}

function isLong(byte = 0): boolean {
  return byte > 127
}

/** Which message a preamble names. */
export function indexesOf(preamble: Uint8Array): readonly number[] {
  const values: number[] = []
  for (let at = 0; at < preamble.length; at++) {
    const first = preamble[at]!
    const raw = first > 127 ? (first & 127) | (preamble[++at]! << 7) : first
    values.push((raw >> 1) ^ -(raw & 1))
  }
  return values.length < 2 ? [0] : values.slice(1)
}
