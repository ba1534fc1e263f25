/**
 * The keys of masks, from the environment and from files: they are in no configuration, so nothing that prints one has them. Blanks
 * around a key are no part of it, for files end with a line's end.
 */
import { readFileSync } from 'node:fs'
import { CtrError } from '../errors.ts'
import type { Config } from './schema.ts'

/** A key under its name. */
export interface MaskKey {
  readonly id: string
  readonly secret: string
}

/** Half of what SHA-256 takes in at once, and as long as its result. */
const KEY_MIN_BYTES = 32

/** The first one masks. Throws CTR_CONFIG that names the key, and never what it holds. */
export function maskKeys({ privacy: { keys = [] } }: Pick<Config, 'privacy'>, env = process.env): MaskKey[] {
  return keys.map(({ id, env: name, file }, index) => {
    const place = `privacy.keys[${index}]`
    const secret = (name === undefined ? keyOfFile(`${place}.file`, file ?? '') : (env[name] ?? '')).trim()
    const where = name === undefined ? `${place}.file ${file}` : `${place}.env ${name}`
    const size = Buffer.byteLength(secret)
    if (size >= KEY_MIN_BYTES) return { id, secret }
    const what = size === 0 ? (name === undefined ? 'the file is empty' : 'the variable is not set') : `the key has ${size} bytes`
    throw new CtrError(
      'CTR_CONFIG',
      `${where}: ${what}, and a key of masks has ${KEY_MIN_BYTES} bytes or more; \`openssl rand -hex 32\` makes one`,
    )
  })
}

function keyOfFile(key: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const what = code === 'ENOENT' ? 'there is no such file' : `the file can't be read (${code})`
    throw new CtrError('CTR_CONFIG', `${key} ${file}: ${what}; masks need the key in it`)
  }
}
