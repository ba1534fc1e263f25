/**
 * Protobuf's schemas, as registries have them: the text of a .proto file. protobufjs reads the text, of which a graph of messages is made;
 * it is loaded when a topic has this format.
 */
import { createRequire } from 'node:module'
import type { Field, MapField, Namespace, Root, Type } from 'protobufjs'
import { SchemaFault } from './schema-fault.ts'
import type { WriterSchema } from './schemas.ts'

/** How a value that is no message is written. */
export type ProtoScalar =
  | 'int32'
  | 'int64'
  | 'uint32'
  | 'uint64'
  | 'sint32'
  | 'sint64'
  | 'fixed32'
  | 'fixed64'
  | 'sfixed32'
  | 'sfixed64'
  | 'float'
  | 'double'
  | 'bool'
  | 'string'
  | 'bytes'
  | 'enum'
  | 'message'

/** A field of a message. */
export interface ProtoField {
  readonly id: number
  readonly name: string
  readonly type: ProtoScalar
  /** Of a message. */
  readonly message: ProtoMessage | undefined
  /** Of an enum, the names by number. */
  readonly symbols: ReadonlyMap<number, string>
  readonly isRepeated: boolean
  /** A map of texts; `type` is that of its values. */
  readonly isMap: boolean
  /** One that isn't written isn't there; else it has its type's default. */
  readonly hasPresence: boolean
  /** The name of what it shares one value with; '' for none. */
  readonly oneof: string
}

/** A message, whose fields are filled in once all are known. */
export interface ProtoMessage {
  readonly name: string
  readonly fields: ProtoField[]
}

const TEXT_MAX = 4 * 1024 * 1024
const TYPES_MAX = 5000
const OPTIONS = { keepCase: true }

/** The messages of a schema's text. */
export class ProtoTypes {
  readonly #protobuf: typeof import('protobufjs')
  readonly #root: Root
  /** What the indexes count in: the text alone, for what it refers to may share its package. */
  readonly #own: Namespace
  readonly #within = new Map<Namespace, readonly Type[]>()

  /** Throws a SchemaFault for a text that can't be read. */
  constructor({ text, references }: WriterSchema) {
    if (text.length > TEXT_MAX) throw new SchemaFault(`its text has more than ${TEXT_MAX} characters`)
    const protobuf = createRequire(import.meta.url)('protobufjs') as typeof import('protobufjs')
    this.#protobuf = protobuf
    this.#root = new protobuf.Root()
    this.#own = orFault(() => {
      const texts = [...references.map((reference) => reference.text), text]
      const imports = texts.flatMap((one) => protobuf.parse(one, this.#root, OPTIONS).imports ?? [])
      for (const path of new Set(imports)) {
        const known = protobuf.common.get(path)
        if (known?.nested !== undefined) this.#root.addJSON(known.nested)
      }
      this.#root.resolveAll()
      const own = protobuf.parse(text, new protobuf.Root(), OPTIONS)
      return own.package === undefined ? own.root : ((own.root.lookup(own.package) as Namespace | null) ?? own.root)
    })
  }

  /** The full name of a message: of the named one, or at the path of indexes. Throws a SchemaFault for one that there is not. */
  nameAt(indexes: readonly number[], name: string): string {
    if (name !== '') {
      const named = this.#own.lookup(name, [this.#protobuf.Type])
      if (named === null) throw new SchemaFault(`it has no message ${name}`)
      return named.fullName
    }
    let found = this.#own
    for (const index of indexes) {
      const message = this.#messagesIn(found)[index]
      if (message === undefined) throw new SchemaFault(`it has no message at ${indexes.join('.')}`)
      found = message
    }
    return found.fullName
  }

  /** The message of a full name. */
  message(fullName: string): ProtoMessage {
    return orFault(() => new Reader(this.#protobuf).message(this.#root.lookupType(fullName)))
  }

  #messagesIn(namespace: Namespace): readonly Type[] {
    const known = this.#within.get(namespace)
    if (known !== undefined) return known
    const messages = (namespace.nestedArray ?? []).filter((one) => one instanceof this.#protobuf.Type)
    this.#within.set(namespace, messages)
    return messages
  }
}

function orFault<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof SchemaFault) throw error
    throw new SchemaFault(`its text can't be read: ${(error as Error).message}`)
  }
}

class Reader {
  readonly #protobuf: typeof import('protobufjs')
  readonly #known = new Map<Type, ProtoMessage>()

  constructor(protobuf: typeof import('protobufjs')) {
    this.#protobuf = protobuf
  }

  message(type: Type): ProtoMessage {
    const known = this.#known.get(type)
    if (known !== undefined) return known
    const message: ProtoMessage = { name: type.fullName.replace(/^\./, ''), fields: [] }
    this.#known.set(type, message)
    if (this.#known.size > TYPES_MAX) throw new SchemaFault(`it has more than ${TYPES_MAX} messages`)
    for (const field of type.fieldsArray) message.fields.push(this.#field(field))
    return message
  }

  #field(field: Field): ProtoField {
    const { Type: MessageType, Enum } = this.#protobuf
    const resolved = field.resolve().resolvedType
    const isMessage = resolved instanceof MessageType
    const isMap = field.map && (field as unknown as MapField).keyType === 'string'
    const symbols = new Map<number, string>()
    if (resolved instanceof Enum)
      for (const [name, value] of Object.entries(resolved.values)) if (!symbols.has(value)) symbols.set(value, name)
    return {
      id: field.id,
      name: field.name,
      type: isMessage ? 'message' : resolved instanceof Enum ? 'enum' : (field.type as ProtoScalar),
      message: isMessage ? this.message(resolved) : undefined,
      symbols,
      isRepeated: field.repeated || (field.map && !isMap),
      isMap,
      hasPresence: isMessage || field.partOf !== null || field.hasPresence,
      oneof: field.partOf === null || field.partOf.oneof.length < 2 ? '' : field.partOf.name,
    }
  }
}
