/**
 * An S3 bucket as a store: an object is an object under `<prefix>/<key>`, written by one PUT, which S3 makes visible whole or not at all.
 *
 *   ifAbsent   PUT with `If-None-Match: *`. 412: the key is taken; what is there is compared, since it may be our own PUT whose answer
 *              got lost and that was sent again. 409: somebody deletes it at this moment; tried again.
 *   retries    by the SDK, for what passes (resets, timeouts, 5xx, throttling), TRIES times in all; the caller decides what comes after
 *   timeouts   on connecting and on a silent connection, not on a whole call: that is the caller's signal
 *
 * A server that doesn't know If-None-Match and says so (501) is asked whether the key is taken first, which two writers may both pass.
 * Ids hold a random number of their writer, so that they don't meet in practice. One warning tells of it.
 *
 * The SDK is loaded when a store is opened. Checksums of the SDK are left out where S3 doesn't demand them, since not all servers know
 * them; checkpoints carry their own.
 */
import type { S3Client } from '@aws-sdk/client-s3'
import { sleep } from '../clock.ts'
import type { ObjectStore, StoredObject } from './object-store.ts'
import { explainS3Error, isS3Answer } from './s3-errors.ts'

export interface S3StoreOptions {
  readonly bucket: string
  /** Without slashes at its ends; '' for none. */
  readonly prefix: string
  /** AWS's own without it. */
  readonly endpoint?: string | undefined
  readonly region: string
  readonly pathStyle: boolean
  /** Both, or neither for the SDK's chain. */
  readonly accessKeyId?: string | undefined
  readonly secretAccessKey?: string | undefined
  /** How long a connection may be silent, ms. */
  readonly silenceMaxMs?: number
  /** What the operator should know once. */
  readonly warn?: (message: string) => void
}

const CONNECT_MAX_MS = 5000
const SILENCE_MAX_MS = 30_000
const TRIES = 4
const RETRY_MS = 100
const AT_ONCE = 8

type Sdk = typeof import('@aws-sdk/client-s3')

interface Bucket {
  readonly sdk: Sdk
  readonly client: S3Client
  readonly bucket: string
  readonly root: string
  readonly warn: (message: string) => void
  /** The server has said that it doesn't know If-None-Match. */
  unconditional: boolean
}

/** Opens a bucket, which must exist; nothing is sent yet. Failures are CtrError CTR_CHECKPOINT_STORE. */
export async function s3Store(options: S3StoreOptions): Promise<ObjectStore> {
  const sdk = await import('@aws-sdk/client-s3')
  const { bucket, prefix, endpoint, accessKeyId, secretAccessKey } = options
  const client = new sdk.S3Client({
    region: options.region,
    forcePathStyle: options.pathStyle,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(accessKeyId === undefined || secretAccessKey === undefined ? {} : { credentials: { accessKeyId, secretAccessKey } }),
    maxAttempts: TRIES,
    requestHandler: { connectionTimeout: CONNECT_MAX_MS, socketTimeout: options.silenceMaxMs ?? SILENCE_MAX_MS },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  const root = prefix === '' ? '' : `${prefix}/`
  const place = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`
  const at: Bucket = { sdk, client, bucket, root, warn: options.warn ?? (() => undefined), unconditional: false }
  const explained = async <T>(work: Promise<T>, signal?: AbortSignal): Promise<T> => {
    try {
      return await work
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      throw explainS3Error(error, { place, bucket, endpoint, region: options.region })
    }
  }
  return {
    place,
    put: (key, bytes, { ifAbsent = false, signal } = {}) =>
      explained(ifAbsent ? putIfAbsent(at, key, bytes, signal) : put(at, key, bytes, signal), signal),
    get: (key, signal) => explained(get(at, key, signal), signal),
    list: (keyPrefix, signal) => explained(list(at, keyPrefix, signal), signal),
    remove: (keys) => explained(remove(at, keys)),
    close: async () => client.destroy(),
  }
}

/** Options of a call with a signal; the SDK takes no undefined one. */
const abortable = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { abortSignal: signal })

async function put({ sdk, client, bucket, root }: Bucket, key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<true> {
  await client.send(new sdk.PutObjectCommand({ Bucket: bucket, Key: root + key, Body: bytes }), abortable(signal))
  return true
}

async function putIfAbsent(at: Bucket, key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<boolean> {
  const { sdk, client, bucket, root } = at
  for (let left = TRIES; !at.unconditional; left--) {
    try {
      const command = new sdk.PutObjectCommand({ Bucket: bucket, Key: root + key, Body: bytes, IfNoneMatch: '*' })
      await client.send(command, abortable(signal))
      return true
    } catch (error) {
      if (isS3Answer(error, 412)) return await isSame(at, key, bytes, signal)
      if (isS3Answer(error, 501)) {
        at.unconditional = true
        at.warn('the S3 server knows no conditional PUT (If-None-Match); that a key is free is looked up before it is written')
      } else if (!isS3Answer(error, 409) || left === 1) throw error
      else await sleep(RETRY_MS, signal)
    }
  }
  const taken = await get(at, key, signal)
  return taken === undefined ? await put(at, key, bytes, signal) : Buffer.compare(taken, bytes) === 0
}

async function isSame(at: Bucket, key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<boolean> {
  const there = await get(at, key, signal)
  return there !== undefined && Buffer.compare(there, bytes) === 0
}

/** An answer that breaks off in its body is past the SDK's retries, so it is asked for again here. */
async function get({ sdk, client, bucket, root }: Bucket, key: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  for (let left = TRIES; ; left--) {
    try {
      const answer = await client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: root + key }), abortable(signal))
      try {
        const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array(0)
        if (answer.ContentLength === undefined || answer.ContentLength === bytes.length) return bytes
        throw new Error(`the answer breaks off after ${bytes.length} of ${answer.ContentLength} bytes`)
      } catch (error) {
        if (left === 1 || signal?.aborted) throw error
        await sleep(RETRY_MS, signal)
      }
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return undefined
      throw error
    }
  }
}

async function list({ sdk, client, bucket, root }: Bucket, prefix: string, signal?: AbortSignal): Promise<StoredObject[]> {
  const found: StoredObject[] = []
  let token: string | undefined
  do {
    const page = { Bucket: bucket, Prefix: root + prefix, ...(token === undefined ? {} : { ContinuationToken: token }) }
    const answer = await client.send(new sdk.ListObjectsV2Command(page), abortable(signal))
    for (const { Key = '', Size = 0 } of answer.Contents ?? []) found.push({ key: Key.slice(root.length), bytes: Size })
    token = answer.IsTruncated === true ? answer.NextContinuationToken : undefined
  } while (token !== undefined)
  return found.sort((a, b) => (a.key < b.key ? -1 : 1))
}

/** One by one: the call that deletes many needs checksums that servers disagree about. */
async function remove({ sdk, client, bucket, root }: Bucket, keys: readonly string[]): Promise<void> {
  const left = [...keys]
  const removeSome = async () => {
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      try {
        await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: root + key }))
      } catch (error) {
        if ((error as Error).name !== 'NoSuchKey') throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, keys.length) }, removeSome))
}
