/** What a check finds, and how findings are put together. */
import { CtrError, type CtrErrorCode } from '../errors.ts'

/** `skipped`: it could not be looked at, as another check tells, or there is nothing to look at. */
export type CheckVerdict = 'ok' | 'warning' | 'fault' | 'skipped'

/** What was found, and what to do about it. */
export interface Finding {
  readonly verdict: CheckVerdict
  readonly found: string
  /** A line for each thing to do; undefined when nothing is. */
  readonly remedy?: string
  /** Of the failure that a start would end with. */
  readonly code?: CtrErrorCode
}

/** What is looked at, in the order in which it is shown. */
export const PARTS = ['kafka', 'registry', 'clickhouse', 'checkpoints', 'machine'] as const

/** One of them. */
export type CheckPart = (typeof PARTS)[number]

/** Something that a start needs. */
export interface Check {
  readonly part: CheckPart
  readonly name: string
  /** Rejects with what a start would fail with, or with NotLooked. Whatever it still does when `signal` aborts, nobody waits for. */
  readonly look: (signal: AbortSignal) => Promise<Finding>
}

/** A check can't be made, for a reason that another check tells. */
export class NotLooked extends Error {}

/** All is well. */
export function ok(found: string): Finding {
  return { verdict: 'ok', found }
}

/** It may be meant so. */
export function warning(found: string, remedy: string): Finding {
  return { verdict: 'warning', found, remedy }
}

/** A start fails by it, or results would be wrong. */
export function fault(found: string, remedy: string): Finding {
  return { verdict: 'fault', found, remedy }
}

/** It is not looked at. */
export function skipped(found: string): Finding {
  return { verdict: 'skipped', found }
}

/** A failure in the words of a start. What to do about it is what its message ends with, behind the last semicolon. */
export function findingOf(error: unknown): Finding {
  if (error instanceof NotLooked) return skipped(error.message)
  if (!(error instanceof CtrError)) {
    const said = error instanceof Error ? error.message : String(error)
    return fault(`the check itself fails: ${said}`, 'this is a bug, please report it')
  }
  const { message, code } = error
  const [first = '', ...more] = message.split('\n')
  const at = first.lastIndexOf('; ')
  const list = more.map((line) => `\n${line}`).join('')
  if (at < 0) return { verdict: 'fault', found: message, code }
  return { verdict: 'fault', found: first.slice(0, at) + list, remedy: first.slice(at + 2), code }
}

const RANK: Readonly<Record<CheckVerdict, number>> = { skipped: 0, ok: 1, warning: 2, fault: 3 }

/** One finding of several: the worst verdict, and what led to it; what else was found is left out unless all is well. */
export function together(findings: readonly Finding[]): Finding {
  const rank = Math.max(...findings.map(({ verdict }) => RANK[verdict]))
  const worst = findings.filter(({ verdict }) => RANK[verdict] === rank)
  const [first] = worst
  if (first === undefined) return skipped('there is nothing to look at')
  const remedies = [...new Set(worst.flatMap(({ remedy }) => remedy ?? []))]
  const found = [...new Set(worst.map(({ found: each }) => each))].join('; ')
  return { ...first, found, ...(remedies.length === 0 ? {} : { remedy: remedies.join('\n') }) }
}
