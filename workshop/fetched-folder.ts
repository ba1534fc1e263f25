/**
 * A folder in the user's cache that is filled once and kept: what tests fetch or build. It appears by one rename, so that test files that
 * start at the same time never see half of it; whoever comes second throws his own copy away.
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** The folder's path, in XDG_CACHE_HOME or the system's temporary folder. `fill` puts everything into a folder that is to become it. */
export async function fetchedFolder(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const home = process.env.XDG_CACHE_HOME
  const folder = join(home === undefined || home === '' ? tmpdir() : home, name)
  if (existsSync(folder)) return folder
  await mkdir(dirname(folder), { recursive: true })
  const building = await mkdtemp(`${folder}.`)
  try {
    await fill(building)
    await rename(building, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    await rm(building, { recursive: true, force: true })
  }
  return folder
}
