/**
 * Schemas from files of the configuration: one file for all records, or a folder with a file for each schema that records name. Those of a
 * folder are read once, when it is opened, and are called by what the frames name: an id, as 17.avsc, or a UUID.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import { CtrError } from '../errors.ts'
import type { SchemaKey, Schemas, WriterSchema } from './schemas.ts'

const EXTENSIONS: readonly string[] = ['.avsc', '.proto']
const ID = /^(?:0|[1-9]\d{0,18})$/
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The schema in a file, or those in a folder. Throws CTR_CONFIG when it can't be read. */
export function readSchemaFile(path: string, type: WriterSchema['type']): WriterSchema | Schemas {
  try {
    return statSync(path).isDirectory() ? new FolderSchemas(path, type) : read(path, type)
  } catch (error) {
    if (error instanceof CtrError) throw error
    const why = (error as Error).message
    const remedy = 'write the path of an .avsc or .proto file, or of a folder of such'
    throw new CtrError('CTR_CONFIG', `kafka.topics[].schemaFile ${path} can't be read: ${why}; ${remedy}`, { cause: error })
  }
}

function read(path: string, type: WriterSchema['type']): WriterSchema {
  return { type, text: readFileSync(path, 'utf8'), references: [] }
}

class FolderSchemas implements Schemas {
  readonly #schemas = new Map<SchemaKey, WriterSchema>()

  constructor(folder: string, type: WriterSchema['type']) {
    for (const file of readdirSync(folder)) {
      if (!EXTENSIONS.includes(extname(file))) continue
      const name = basename(file, extname(file)).toLowerCase()
      const kinds = ID.test(name) ? ['id', 'apicurio'] : UUID.test(name) ? ['glue', 'guid'] : []
      if (kinds.length === 0) throw unusable(`${join(folder, file)} is called by no id and no UUID`)
      const schema = read(join(folder, file), type)
      for (const kind of kinds) {
        if (this.#schemas.has(`${kind}:${name}`)) throw unusable(`${folder} has two files for ${name}`)
        this.#schemas.set(`${kind}:${name}`, schema)
      }
    }
    if (this.#schemas.size === 0) throw unusable(`${folder} has no schema in it`)
  }

  find(key: SchemaKey): WriterSchema | 'unknown' {
    return this.#schemas.get(key) ?? 'unknown'
  }

  // The dead letters of its records say so.
  unfit(): void {}
}

function unusable(what: string): CtrError {
  const remedy = 'call each file as the frames do, such as 17.avsc or b2e3a1c0-0000-4000-8000-00000000002a.avsc'
  return new CtrError('CTR_CONFIG', `kafka.topics[].schemaFile: ${what}; ${remedy}`)
}
