/**
 * Another user of this machine: a process that gives up its rights before it does anything. Takes root, or sudo without a password.
 */
import { spawn } from 'node:child_process'

/** The user `nobody`. */
export const NOBODY = 65_534

/**
 * Runs a script (CommonJS) as nobody; resolves with what it printed when it ends or, with `until`, as soon as that was printed: then `end`
 * kills it.
 */
export async function asNobody(script: string, until?: string): Promise<{ readonly printed: () => string; end(): void }> {
  const all = `process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY}); process.chdir('/')\n${script}`
  const words = [process.execPath, '-e', all]
  const child = process.getuid?.() === 0 ? spawn(words[0]!, words.slice(1)) : spawn('sudo', ['-n', ...words])
  let text = ''
  await new Promise<void>((resolve, reject) => {
    const look = (chunk: Buffer) => {
      text += chunk.toString()
      if (until !== undefined && text.includes(until)) resolve()
    }
    child.stdout.on('data', look)
    child.stderr.on('data', look)
    child.once('error', reject)
    child.once('close', () => (until === undefined || text.includes(until) ? resolve() : reject(new Error(`as nobody: ${text}`))))
  })
  return { printed: () => text, end: () => void child.kill() }
}
