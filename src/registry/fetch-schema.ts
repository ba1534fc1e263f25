/** From what a record's frame names to its schema with all that it refers to, by requests to the registry. */
import { z } from 'zod'
import { LIMITS } from '../config/limits.ts'
import { formatSize } from '../config/units.ts'
import { CtrError } from '../errors.ts'
import type { SchemaKey, WriterSchema } from '../format/schemas.ts'
import type { RegistryClient } from './registry-client.ts'

const referenceSchema = z.object({ name: z.string(), subject: z.string(), version: z.int() })
const answerSchema = z.object({
  schema: z.string(),
  // Registries leave it out of Avro schemas.
  schemaType: z.string().nullish(),
  references: z.array(referenceSchema).nullish(),
})
const searchSchema = z.object({ versions: z.array(z.object({ contentId: z.int() })) })

type Reference = z.infer<typeof referenceSchema>
type Got = z.infer<typeof answerSchema>

const TYPES: Readonly<Record<string, WriterSchema['type']>> = { AVRO: 'avro', JSON: 'json-schema', PROTOBUF: 'protobuf' }

/** Where Apicurio has its Confluent API, beside its own. */
const APICURIO = /^(.*)\/apis\/ccompat\/v\d+\/?$/

/** The schema that the registry has under a key. Throws as RegistryClient, and CTR_REGISTRY_REFUSED for what can't be used. */
export async function fetchSchema(client: Pick<RegistryClient, 'get'>, key: SchemaKey): Promise<WriterSchema> {
  const [kind, name] = keyPartsOf(key)
  if (kind === 'id') return whole(client, key, await got(client, `/schemas/ids/${name}`))
  if (kind === 'guid') return whole(client, key, await got(client, `/schemas/guids/${name}`))
  if (kind === 'apicurio') return fetchSchema(client, `id:${await contentIdOf(client, name)}`)
  throw unusable(key, 'such schemas are not fetched', 'name the schema by kafka.topics[].schemaFile')
}

/** `id:17` as `id` and `17`. */
export function keyPartsOf(key: SchemaKey): readonly [kind: string, name: string] {
  const at = key.indexOf(':')
  return [key.slice(0, at), key.slice(at + 1)]
}

/** What Apicurio's Confluent API takes for an id is that of the content; frames of Apicurio's own name a version. */
async function contentIdOf(client: Pick<RegistryClient, 'get'>, globalId: string): Promise<number> {
  const found = searchSchema.safeParse(await client.get(`/search/versions?globalId=${encodeURIComponent(globalId)}`, apicurioOf))
  const [version] = found.success ? found.data.versions : []
  if (version !== undefined) return version.contentId
  throw new CtrError('CTR_SCHEMA_UNKNOWN', `the registry has no version with global id ${globalId}`, { retriable: true })
}

function apicurioOf(url: string): string {
  const base = APICURIO.exec(url)?.[1]
  if (base !== undefined) return `${base}/apis/registry/v3`
  throw unusable(url, 'it is not where Apicurio has its Confluent API', 'let schemaRegistry.url end in /apis/ccompat/v7')
}

async function got(client: Pick<RegistryClient, 'get'>, path: string): Promise<Got> {
  const parsed = answerSchema.safeParse(await client.get(path))
  if (parsed.success) return parsed.data
  throw unusable(path, 'what the registry answers is no schema', 'check schemaRegistry.url')
}

async function whole(
  client: Pick<RegistryClient, 'get'>,
  key: SchemaKey,
  { schema: text, schemaType, references }: Got,
): Promise<WriterSchema> {
  const type = TYPES[schemaType ?? 'AVRO']
  if (type === undefined) throw unusable(key, `its type is ${schemaType}`, 'schemas of types AVRO, JSON and PROTOBUF can be used')
  const collected = new Map<string, WriterSchema['references'][number]>()
  const seen = new Set<string>()
  let bytes = Buffer.byteLength(text)
  const collect = async (some: readonly Reference[]): Promise<void> => {
    for (const { name, subject, version } of some) {
      if (!subject.isWellFormed())
        throw unusable(key, `it refers to a subject that is no text (${JSON.stringify(subject)})`, 'name it anew')
      const place = `/subjects/${encodeURIComponent(subject)}/versions/${version}`
      const mark = `${place} ${name}`
      if (seen.has(mark)) continue
      seen.add(mark)
      if (seen.size > LIMITS.schemaReferencesMax)
        throw unusable(key, `it refers to more than ${LIMITS.schemaReferencesMax} others`, 'split it')
      // A subject that was deleted since is still what old records were written with.
      const other = await got(client, `${place}?deleted=true`).catch((error: unknown) => {
        throw error instanceof CtrError && error.code === 'CTR_SCHEMA_UNKNOWN' ? missing(subject, version, error) : error
      })
      await collect(other.references ?? [])
      bytes += Buffer.byteLength(other.schema)
      if (bytes > LIMITS.schemaMaxBytes) break
      collected.set(mark, { name, text: other.schema })
    }
  }
  await collect(references ?? [])
  if (bytes <= LIMITS.schemaMaxBytes) return { type, text, references: [...collected.values()] }
  throw unusable(key, `with what it refers to it has more than ${formatSize(LIMITS.schemaMaxBytes)}`, 'make it smaller')
}

function missing(subject: string, version: number, cause: CtrError): CtrError {
  const message = `it refers to version ${version} of ${subject}: ${cause.message}`
  return new CtrError('CTR_SCHEMA_UNKNOWN', message, { retriable: true, cause })
}

function unusable(what: string, why: string, remedy: string): CtrError {
  return new CtrError('CTR_REGISTRY_REFUSED', `${what}: ${why}; ${remedy}`, { retriable: true })
}
