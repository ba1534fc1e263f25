/** Mistakes of users: a command line in a folder with files and variables of its own, the exit code it ends with, and what it must say. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, vi } from 'vitest'
import { main } from '../../src/cli/program.ts'

/** One row of a table of mistakes. */
export interface Mistake {
  /** What a user would say of it; the name of the test. */
  readonly what: string
  /** Behind `ctr`, in a shell's words. */
  readonly line: string
  /** Files of the folder, by name. */
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  /** The exit code; 2 when not given. */
  readonly code?: number
  /** What stderr must hold: key, value, remedy. */
  readonly says: readonly string[]
}

/** What a command line printed, and its exit code. */
export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs it in this process, in a folder of its own. */
export async function runIn({ line, files = {}, env = {} }: Pick<Mistake, 'line' | 'files' | 'env'>): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'ctr-mistake-'))
  const before = process.cwd()
  const output = { out: '', err: '' }
  const catching = (stream: NodeJS.WriteStream, name: 'out' | 'err') =>
    vi.spyOn(stream, 'write').mockImplementation((chunk: unknown) => {
      output[name] += String(chunk)
      return true
    })
  const spies = [catching(process.stdout, 'out'), catching(process.stderr, 'err')]
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), content)
    }
    for (const [name, value] of Object.entries({ CTR_CONFIG: '', ...env })) vi.stubEnv(name, value)
    process.chdir(folder)
    return { code: await main(wordsOf(line)), ...output }
  } finally {
    process.chdir(before)
    vi.unstubAllEnvs()
    for (const spy of spies) spy.mockRestore()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs it and holds what it says against the row. */
export async function expectMistake(mistake: Mistake): Promise<void> {
  const { code, err } = await runIn(mistake)
  expect({ code, err }).toEqual({ code: mistake.code ?? 2, err: expect.stringContaining(mistake.says[0] ?? '') })
  for (const part of mistake.says) expect(err).toContain(part)
  expect(err).not.toContain('this is a bug')
}

/** As a shell cuts them: at spaces, but for quotes. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'))
}
