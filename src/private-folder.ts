/** Unix sockets that only their user can reach, by the folder that they lie in. */
import { constants, lstatSync } from 'node:fs'

/** Of a socket's path, on all systems: 104 bytes on macOS, 108 on Linux, with a zero at the end. */
export const SOCKET_PATH_MAX_BYTES = 103

/** Whether a folder is this user's own, and no one else's to enter. Throws what a look at it throws. */
export function isPrivateFolder(folder: string): boolean {
  const { uid, mode } = lstatSync(folder)
  return (mode & constants.S_IFMT) === constants.S_IFDIR && uid === process.getuid?.() && (mode & 0o077) === 0
}
