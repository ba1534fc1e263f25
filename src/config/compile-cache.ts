/**
 * Compiled code, and TypeScript with its types taken off, is kept in the system's temporary folder: starting takes less CPU from the second
 * time on. Threads and child processes learn of it by the environment. Where it can't be written, nothing is lost but that.
 */
import { enableCompileCache, getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'

/** What is imported afterwards is covered. */
export function keepCompiledCode(): void {
  enableCompileCache()
  const directory = getCompileCacheDir()
  if (directory !== undefined) process.env.NODE_COMPILE_CACHE ??= dirname(directory)
}
