/** The check of the store of checkpoints: an object is written, read, listed and removed, and what was there before is left alone. */
import { randomBytes } from 'node:crypto'
import type { Config } from '../config/schema.ts'
import { withoutTrace } from '../probed-folder.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { openStore, storageDirectory } from '../store/open-store.ts'
import { maskSecrets } from '../text.ts'
import { type Check, type Finding, fault, ok, warning } from './finding.ts'

/** What became of the probe. */
export interface Probed {
  /** A second object under the same key was refused, as it must be. */
  readonly keeps: boolean
  /** What came back is what was written. */
  readonly same: boolean
  readonly listed: boolean
  /** It is gone since it was removed. */
  readonly gone: boolean
  /** What the store says of itself. */
  readonly notes: readonly string[]
}

/** The one check of them. */
export function storeCheck(checkpoint: Config['checkpoint']): Check {
  return { part: 'checkpoints', name: `storage ${maskSecrets(checkpoint.storage)}`, look: (signal) => look(checkpoint, signal) }
}

async function look(checkpoint: Config['checkpoint'], signal: AbortSignal): Promise<Finding> {
  const directory = storageDirectory(checkpoint)
  const probing = () => probeAt(checkpoint, signal)
  return directory === undefined ? probing() : withoutTrace(directory, probing)
}

async function probeAt(checkpoint: Config['checkpoint'], signal: AbortSignal): Promise<Finding> {
  const notes: string[] = []
  const store = await openStore(checkpoint, (note) => void notes.push(note))
  if (store === undefined) return ok('checkpoint.storage is none: restarts read from Kafka what open windows need')
  try {
    return judgeProbe(store.place, { ...(await probe(store, signal)), notes })
  } finally {
    await store.close()
  }
}

async function probe(store: ObjectStore, signal: AbortSignal): Promise<Omit<Probed, 'notes'>> {
  const key = `probe-${randomBytes(8).toString('hex')}`
  const [first, second] = [Buffer.from('first'), Buffer.from('second')]
  try {
    await store.put(key, first, { ifAbsent: true, signal })
    const taken = await store.put(key, second, { ifAbsent: true, signal })
    const there = await store.get(key, signal)
    const listed = (await store.list(key, signal)).some((object) => object.key === key)
    await store.remove([key])
    const gone = (await store.get(key, signal)) === undefined
    return { keeps: !taken, same: there !== undefined && Buffer.compare(there, taken ? second : first) === 0, listed, gone }
  } catch (error) {
    await store.remove([key]).catch(() => undefined)
    throw error
  }
}

/** What it means. */
export function judgeProbe(place: string, { keeps, same, listed, gone, notes }: Probed): Finding {
  const wrong = [
    ...(same ? [] : ['does not give back what was written']),
    ...(listed ? [] : ['does not list what was written']),
    ...(gone ? [] : ['still has what was removed']),
  ]
  if (wrong.length > 0) return fault(`${place} ${wrong.join(', and ')}`, 'set checkpoint.storage to another place')
  if (!keeps) {
    const what = `${place} ignores If-None-Match: it lets an object be written over that is to be written once`
    return warning(what, 'two processes may take the same name of a savepoint; use a server that honours conditional writes')
  }
  if (notes.length > 0) return warning(`${place}: ${notes.join('; ')}`, 'use a server that honours conditional writes')
  return ok(`${place} can be written, read, listed and cleared, and keeps what is to be written once`)
}
