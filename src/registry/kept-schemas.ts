/**
 * Schemas as objects of the store of checkpoints. What is under a key of a registry never changes, so an object is written once, by whoever
 * of the group meets the schema first, and never goes: no checkpoint refers to it. Format 1, one line of JSON:
 *
 *   {"format":1,"key":"id:17","type":"avro","text":…,"references":[…],"crc32":"1a2b3c4d"}\n     crc32 of the bytes before `,"crc32"`
 *
 *   <prefix><registry>/<kind>/<name>.json      registry = 16 hex digits of the SHA-256 of its first address
 *
 * The addresses of one registry may be added to or change places: an object is looked for under each of them.
 */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { CtrError } from '../errors.ts'
import type { SchemaKey, WriterSchema } from '../format/schemas.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { keyPartsOf } from './fetch-schema.ts'

const keptSchema = z.object({
  format: z.literal(1),
  key: z.string(),
  type: z.enum(['avro', 'json-schema', 'protobuf']),
  text: z.string(),
  references: z.array(z.object({ name: z.string(), text: z.string() })),
  crc32: z.string(),
})

/** As bytes; the same for the same schema. */
export function encodeSchema(key: SchemaKey, { type, text, references }: WriterSchema): Buffer {
  const plain = references.map(({ name, text: other }) => ({ name, text: other }))
  const body = JSON.stringify({ format: 1, key, type, text, references: plain }).slice(0, -1)
  return Buffer.from(`${body},"crc32":"${checksum(body)}"}\n`)
}

/** Throws CTR_CHECKPOINT_CORRUPT for bytes that are no schema, or one of another key. */
export function decodeSchema(key: SchemaKey, bytes: Uint8Array): WriterSchema {
  const line = Buffer.from(bytes).toString()
  const parsed = keptSchema.safeParse(parseJson(line))
  const body = line.slice(0, line.lastIndexOf(',"crc32"'))
  if (!parsed.success || parsed.data.key !== key || parsed.data.crc32 !== checksum(body)) {
    throw new CtrError('CTR_CHECKPOINT_CORRUPT', `the kept schema ${key} is damaged; it is asked for anew`)
  }
  const { type, text, references } = parsed.data
  return { type, text, references }
}

/** Whether two texts of a key say the same: a registry may write the JSON of a schema in another way than it did. */
export function sameSchema(a: WriterSchema, b: WriterSchema): boolean {
  const same = (left: string, right: string) =>
    left === right || (a.type !== 'protobuf' && isDeepStrictEqual(parseJson(left), parseJson(right)))
  return (
    a.type === b.type &&
    same(a.text, b.text) &&
    a.references.length === b.references.length &&
    a.references.every(({ name, text }, i) => name === b.references[i]?.name && same(text, b.references[i].text))
  )
}

/** Objects of one registry in a store. */
export class KeptSchemas {
  readonly #open: () => Promise<ObjectStore | undefined>
  readonly #folders: readonly string[]
  #store: Promise<ObjectStore | undefined> | undefined

  /** `prefix` of the group's schemas in the store, which is opened when it is needed first. */
  constructor(open: () => Promise<ObjectStore | undefined>, prefix: string, urls: readonly string[]) {
    this.#open = open
    this.#folders = urls.map((url) => `${prefix}${createHash('sha256').update(url.replace(/\/+$/, '')).digest('hex').slice(0, 16)}/`)
  }

  /** undefined when there is none. Throws what the store throws, and as decodeSchema. */
  async find(key: SchemaKey, signal?: AbortSignal): Promise<WriterSchema | undefined> {
    const store = await this.#opened()
    for (const folder of store === undefined ? [] : this.#folders) {
      const bytes = await store?.get(folder + nameOf(key), signal)
      if (bytes !== undefined) return decodeSchema(key, bytes)
    }
    return undefined
  }

  /** Keeps it, unless something else is there under the key: gives that back then. What is damaged is written over. */
  async keep(key: SchemaKey, schema: WriterSchema, signal?: AbortSignal): Promise<WriterSchema | undefined> {
    const store = await this.#opened()
    const [folder] = this.#folders
    if (store === undefined || folder === undefined) return undefined
    const bytes = encodeSchema(key, schema)
    const place = folder + nameOf(key)
    if (await store.put(place, bytes, { ifAbsent: true, ...(signal && { signal }) })) return undefined
    const there = await store.get(place, signal)
    try {
      return there === undefined ? undefined : decodeSchema(key, there)
    } catch {
      await store.put(place, bytes, signal && { signal })
      return undefined
    }
  }

  /** Where it lies, for people. */
  async placeOf(key: SchemaKey): Promise<string> {
    const store = await this.#opened()
    return `${this.#folders[0]}${nameOf(key)} in ${store?.place}`
  }

  async close(): Promise<void> {
    await (await this.#store?.catch(() => undefined))?.close()
  }

  #opened(): Promise<ObjectStore | undefined> {
    this.#store ??= this.#open().catch((error: unknown) => {
      this.#store = undefined
      throw error
    })
    return this.#store
  }
}

function nameOf(key: SchemaKey): string {
  return `${keyPartsOf(key).map(encodeURIComponent).join('/')}.json`
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(8, '0')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
