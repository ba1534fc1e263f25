/** From `checkpoint.storage` to a store: a directory, file:///directory, s3://bucket/prefix, or none. */
import { fileURLToPath } from 'node:url'
import type { Config } from '../config/schema.ts'
import { CtrError } from '../errors.ts'
import { fileStore } from './file-store.ts'
import type { ObjectStore } from './object-store.ts'
import { s3Store } from './s3-store.ts'

type Storage = Pick<Config['checkpoint'], 'storage' | 's3'>

/**
 * Opens the store; undefined for none. A directory is made when it is first written to, a bucket must exist. `warn` takes what the operator
 * should know once. Throws CtrError CTR_CONFIG for a URL that names no directory of this machine.
 */
export async function openStore({ storage, s3 }: Storage, warn?: (message: string) => void): Promise<ObjectStore | undefined> {
  if (storage === 'none') return undefined
  const bucket = /^s3:\/\/([^/]+)(.*)$/.exec(storage)
  if (bucket !== null) {
    const prefix = (bucket[2] ?? '').replaceAll(/^\/+|\/+$/g, '')
    return await s3Store({ ...s3, bucket: bucket[1] ?? '', prefix, ...(warn === undefined ? {} : { warn }) })
  }
  return await fileStore(storageDirectory({ storage }) ?? storage)
}

/** The directory that `checkpoint.storage` means; undefined when it means none. Throws as openStore. */
export function storageDirectory({ storage }: Pick<Storage, 'storage'>): string | undefined {
  if (storage === 'none' || storage.startsWith('s3://')) return undefined
  return storage.startsWith('file://') ? directoryOf(storage) : storage
}

function directoryOf(url: string): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    const remedy = 'write file:///directory, with % signs as %25'
    throw new CtrError('CTR_CONFIG', `checkpoint.storage: ${url} names no directory of this machine; ${remedy}`, { cause })
  }
}
