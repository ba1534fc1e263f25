/**
 * Where checkpoints are kept: objects under keys, written whole or not at all. A directory (file-store.ts) and an S3 bucket (s3-store.ts)
 * stand behind it, and a Map in simulations.
 *
 * Keys are relative, `/`-separated and made of `A-Za-z0-9._-%`. A reader never sees part of an object. An object is durable when `put` has
 * resolved. Failures are CtrError CTR_CHECKPOINT_STORE with what the operator must look at; `retriable` when waiting may help.
 */

/** An object as a listing shows it. */
export interface StoredObject {
  readonly key: string
  readonly bytes: number
}

/** See the file's comment. */
export interface ObjectStore {
  /** For messages: the URL as configured, without secrets. */
  readonly place: string
  /**
   * Writes an object. With `ifAbsent` it is left alone when the key is taken: false then, unless what is there are the same bytes, as after
   * an answer that got lost. Otherwise true.
   */
  put(key: string, bytes: Uint8Array, options?: { readonly ifAbsent?: boolean; readonly signal?: AbortSignal }): Promise<boolean>
  /** undefined when there is none. */
  get(key: string, signal?: AbortSignal): Promise<Uint8Array | undefined>
  /** All objects whose key begins with `prefix`, by key. */
  list(prefix: string, signal?: AbortSignal): Promise<StoredObject[]>
  /** Removes objects; those that are gone already count as removed. */
  remove(keys: readonly string[]): Promise<void>
  close(): Promise<void>
}
