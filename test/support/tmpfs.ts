/** A small disk in memory, for tests of full and read-only ones. It takes the right to mount: root's, or that of sudo. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Tmpfs extends Disposable {
  readonly path: string
  /** `ro` or `rw`. */
  remount(option: string): void
}

/** Mounts one of so much room, such as 1m; it is gone when disposed of. */
export function tmpfs(size: string): Tmpfs {
  const path = mkdtempSync(join(tmpdir(), 'ctr-tmpfs-'))
  const run = (...words: string[]) => {
    const [first, ...others] = process.getuid?.() === 0 ? words : ['sudo', '-n', ...words]
    try {
      execFileSync(first ?? '', others, { stdio: 'pipe' })
    } catch (error) {
      throw new Error(`"${words.join(' ')}" fails: this test needs root, or sudo without a password, to mount`, { cause: error })
    }
  }
  run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path)
  return {
    path,
    remount: (option) => run('mount', '-o', `remount,${option}`, path),
    [Symbol.dispose]: () => {
      run('umount', path)
      rmdirSync(path)
    },
  }
}
