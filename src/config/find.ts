/**
 * Which file the configuration is read from when the command line names none: the one of the environment variable CTR_CONFIG, or else one
 * of the working folder.
 */
import { existsSync } from 'node:fs'
import { CtrError } from '../errors.ts'

const VARIABLE = 'CTR_CONFIG'
const IN_FOLDER = ['./ctr.yaml', './ctr.yml']

export interface FoundConfig {
  readonly file: string
  /** Why it is taken. */
  readonly because: string
}

/** undefined when there is none: then the defaults hold. Throws CtrError CTR_CONFIG when CTR_CONFIG names a file that does not exist. */
export function findConfig(env: Readonly<Record<string, string | undefined>> = process.env): FoundConfig | undefined {
  const named = env[VARIABLE]
  if (named !== undefined && named !== '') {
    if (existsSync(named)) return { file: named, because: `${VARIABLE} names it` }
    const remedy = 'set it to the path of a YAML file, or unset it'
    throw new CtrError('CTR_CONFIG', `the environment variable ${VARIABLE} names ${named}, which does not exist; ${remedy}`)
  }
  const file = IN_FOLDER.find((path) => existsSync(path))
  return file === undefined ? undefined : { file, because: 'it is in this folder' }
}
