/** Rules that differ from one of the table in one thing that matters: a bound, a clause, or waiting. Some case must tell each from it. */
import type { AlertRule } from '../../src/monitoring/alert.ts'

export interface Mutant {
  /** What is other. */
  readonly what: string
  readonly rule: AlertRule
}

const CLAUSE = /^\s+(?:and|unless|or)\b/
/** A number that is compared with, or a factor of what is. */
const BOUND = /(?<= (?:[<>]=?|==) )[\d.]+(?![\d.]*[mhdw\]])/g
/** A bound is moved by so much of itself; one that is 0, to 1 and -1. */
const MOVES = [1.4, 0.6]

/** All of them. */
export function mutantsOf(rule: AlertRule): Mutant[] {
  const { expr } = rule
  const lines = expr.split('\n')
  const clauses = lines.flatMap((line, i) => {
    if (i === 0 || !CLAUSE.test(line)) return []
    const next = lines.findIndex((other, k) => k > i && CLAUSE.test(other))
    const rest = [...lines.slice(0, i), ...(next < 0 ? [] : lines.slice(next))]
    return [{ what: `without "${line.trim()}"`, rule: { ...rule, expr: rest.join('\n') } }]
  })
  const bounds = [...expr.matchAll(BOUND)].flatMap(({ 0: bound, index }) =>
    MOVES.map((factor) => {
      const moved = Number(bound) === 0 ? Math.sign(factor - 1) : Number(bound) * factor
      return {
        what: `${moved} for ${bound} at ${index}`,
        rule: { ...rule, expr: `${expr.slice(0, index)}${moved}${expr.slice(index + bound.length)}` },
      }
    }),
  )
  const hasty = rule.for === '0m' ? [] : [{ what: 'without waiting', rule: { ...rule, for: '0m' } }]
  return [...clauses, ...bounds, ...hasty]
}
