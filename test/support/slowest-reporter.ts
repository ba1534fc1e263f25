/** Vitest reporter: names the slowest files at the end of a run, with what loading them took. */
import type { Reporter, TestModule } from 'vitest/node'

const NAMED_MAX = 10

/** How long one test file took. */
export interface FileTime {
  readonly path: string
  readonly ms: number
}

export default class SlowestReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const times = modules.map((module) => {
      const { prepareDuration, setupDuration, collectDuration, duration } = module.diagnostic()
      return { path: module.relativeModuleId, ms: prepareDuration + setupDuration + collectDuration + duration }
    })
    if (times.length > 1) console.log(slowest(times).join('\n'))
  }
}

/** The lines of the report, slowest first; seconds of waiting and working alike. */
export function slowest(times: readonly FileTime[]): string[] {
  const named = times.toSorted((a, b) => b.ms - a.ms).slice(0, NAMED_MAX)
  const all = times.reduce((sum, { ms }) => sum + ms, 0)
  const line = ({ path, ms }: FileTime) => `${(ms / 1000).toFixed(1).padStart(7)} s  ${path}`
  return [`slowest ${named.length} of ${times.length} files, which took ${(all / 1000).toFixed(1)} s in sum:`, ...named.map(line)]
}
