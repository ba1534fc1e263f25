/**
 * A folder in the user's cache that is filled once and kept: what tests fetch or build. It appears by one rename, so that test files that
 * start at the same time never see half of it; whoever comes second throws his own copy away.
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isOwnFolder } from '../bin/own-folder.js'

/** Programs are run from it. */
function own(folder: string): string {
  if (isOwnFolder(folder)) return folder
  throw new Error(`${folder} is not this user's alone: remove it, or set XDG_CACHE_HOME to a folder of your own`)
}

/** The folder's path, in XDG_CACHE_HOME or the system's temporary folder. `fill` puts everything into a folder that is to become it. */
export async function fetchedFolder(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const home = process.env.XDG_CACHE_HOME
  const folder = join(home === undefined || home === '' ? tmpdir() : home, name)
  if (existsSync(folder)) return own(folder)
  await mkdir(dirname(folder), { recursive: true, mode: 0o755 })
  const building = await mkdtemp(`${folder}.`)
  try {
    await fill(building)
    await rename(building, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(building, { recursive: true, force: true })
  }
  return own(folder)
}
