/** What a rule between keys is, and what several sections have in common. */
import type { Config } from './schema.ts'

/** A rule that doesn't hold, and the key to mend. */
export interface Breach {
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly remedy: string
}

/** It is not asked when one of the keys that it reads is at fault already. */
export interface ConfigRule {
  readonly keys: readonly string[]
  readonly check: (config: Config) => Breach | undefined
}

/** A client certificate and its key come together. */
export function keyPair(
  tls: { cert?: string | undefined; key?: string | undefined } | undefined,
  path: readonly string[],
): Breach | undefined {
  if (tls === undefined || (tls.cert === undefined) === (tls.key === undefined)) return undefined
  const [given, absent] = tls.cert === undefined ? ['key', 'cert'] : ['cert', 'key']
  return { path: [...path, absent], message: `is missing, but ${given} is given`, remedy: 'a client certificate needs both' }
}

/** The index of an address that stands before it in the list already; -1 for none. */
export function listedTwice(urls: readonly string[] = []): number {
  const plain = urls.map((url) => url.replace(/\/$/, ''))
  return plain.findIndex((url, i) => plain.indexOf(url) !== i)
}
