/** Makes all checks at once, each within a time; what they find comes in the order of the checks. */
import { performance } from 'node:perf_hooks'
import { sleep } from '../clock.ts'
import { formatDuration } from '../config/units.ts'
import { type Check, type CheckPart, type CheckVerdict, type Finding, fault, findingOf } from './finding.ts'

/** What came of a check, and how long it took. */
export interface CheckOutcome extends Finding {
  readonly part: CheckPart
  readonly name: string
  readonly ms: number
}

/** Of all checks; how many of each verdict. */
export interface Diagnosis {
  readonly outcomes: readonly CheckOutcome[]
  readonly counts: Readonly<Record<CheckVerdict, number>>
}

/** Never rejects. `onSettled` is told how many are done, and the names of those that are not. */
export async function examine(
  checks: readonly Check[],
  timeoutMs: number,
  onSettled: (done: number, open: readonly string[]) => void = () => undefined,
): Promise<Diagnosis> {
  const open = new Set(checks)
  const tell = () =>
    onSettled(
      checks.length - open.size,
      [...open].map(({ name }) => name),
    )
  tell()
  const outcomes = await Promise.all(
    checks.map(async (check) => {
      const began = performance.now()
      const finding = await within(check, timeoutMs)
      open.delete(check)
      tell()
      return { part: check.part, name: check.name, ms: Math.round(performance.now() - began), ...finding }
    }),
  )
  const counts = { ok: 0, warning: 0, fault: 0, skipped: 0 }
  for (const { verdict } of outcomes) counts[verdict]++
  return { outcomes, counts }
}

async function within({ look }: Check, timeoutMs: number): Promise<Finding> {
  const giveUp = new AbortController()
  const patience = new AbortController()
  const late = sleep(timeoutMs, patience.signal).then(() =>
    fault(
      `nothing is known after ${formatDuration(timeoutMs)}`,
      'look whether it is busy or far away, or give it more time with --timeout',
    ),
  )
  const looking = Promise.resolve().then(() => look(giveUp.signal))
  try {
    return await Promise.race([looking.catch(findingOf), late])
  } finally {
    patience.abort()
    giveUp.abort()
  }
}
