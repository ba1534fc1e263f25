/**
 * Folders that are this user's alone, for what is run or believed when it is found there: compiled code, programs that were built once.
 * Plain JavaScript that any Node from 18 on understands.
 */
import { lstatSync, mkdirSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'

const OTHERS_MAY_WRITE = 0o022
const STICKY = 0o1000

/**
 * The folder of that name in the user's cache (XDG_CACHE_HOME, else .cache in the home folder), made when it is missing. Undefined when
 * it can't be made, or somebody else could put something there.
 * @param {string} name
 * @returns {string | undefined}
 */
export function ownCacheFolder(name) {
  const cache = process.env.XDG_CACHE_HOME
  const base = cache !== undefined && isAbsolute(cache) ? cache : join(homedir(), '.cache')
  const folder = join(base, 'ctr-engine', name)
  try {
    if (!isAbsolute(folder)) return undefined
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return isOwnFolder(folder) ? folder : undefined
  } catch {
    return undefined
  }
}

/**
 * Whether the folder is this user's and no one else can change what is in it, or put another one in its place. Throws when it can't be
 * looked at.
 * @param {string} folder
 * @returns {boolean}
 */
export function isOwnFolder(folder) {
  const user = process.geteuid?.()
  // Where there are no users like these, the system keeps homes apart.
  if (user === undefined) return true
  const own = lstatSync(folder)
  if (!own.isDirectory() || own.uid !== user || (own.mode & OTHERS_MAY_WRITE) !== 0) return false
  for (let path = dirname(realpathSync(folder)); ; path = dirname(path)) {
    const above = lstatSync(path)
    const open = (above.mode & OTHERS_MAY_WRITE) !== 0 && (above.mode & STICKY) === 0
    if (open || (above.uid !== user && above.uid !== 0)) return false
    if (path === dirname(path)) return true
  }
}
