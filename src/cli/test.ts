/** `ctr test`: a user's own cases of a configuration. */
import picocolors from 'picocolors'
import { loadConfig } from '../config/load.ts'
import { CtrError } from '../errors.ts'
import { createLogger } from '../log.ts'
import { visible } from '../text.ts'
import { readCases } from '../trial/cases.ts'
import { runCases, type TrialResult } from '../trial/run.ts'
import { COLOURS } from './colours.ts'
import type { TestCasesOptions } from './options.ts'

/** Runs the cases of the files; returns the exit code: 1 when one of them does not hold. Throws CtrError. */
export async function testVerb(
  files: readonly string[],
  options: TestCasesOptions,
  write: (text: string) => void = (text) => void process.stdout.write(text),
): Promise<number> {
  const config = loadConfig({ file: options.config, sets: options.set })
  const { only = '', json = false } = options
  const all = files.flatMap(readCases)
  const cases = all.filter(({ name }) => name.includes(only))
  if (cases.length === 0) throw new CtrError('CTR_USAGE', `--only ${only}: none of the ${all.length} cases has that in its name`)
  const results = await runCases(config, cases, createLogger({ ...config.log, level: 'error' }))
  const failed = results.filter(({ problems }) => problems.length > 0)
  if (json) write(`${JSON.stringify({ passed: results.length - failed.length, failed: failed.length, cases: results }, null, 2)}\n`)
  else write(`${linesOf(results, failed.length).join('\n')}\n`)
  return failed.length === 0 ? 0 : 1
}

function linesOf(results: readonly TrialResult[], failed: number): string[] {
  const c = picocolors.createColors(COLOURS)
  const lines = results.flatMap(({ name, place, problems }) => {
    if (problems.length === 0) return [`${c.green('✓')} ${visible(name)}`]
    return [`${c.red('✗')} ${visible(name)} (${place})`, ...problems.map((problem) => `    ${visible(problem)}`)]
  })
  return [...lines, '', `${results.length - failed} passed, ${failed} failed`]
}
