/** The table of exits against the engine's own tables: what leaves by something that is in no row fails here. */
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { EXITS } from '../../src/privacy/exits.ts'
import { API_ROUTES, ROUTES } from '../../src/server/routes.ts'
import { TERMS } from '../../src/window/ledger.ts'

interface Row {
  readonly outputs?: readonly string[]
  readonly routes?: readonly string[]
  readonly verbs?: readonly string[]
  readonly what: string
}

/** Verbs that read no records, and nothing that came of them. */
const WITHOUT_RECORDS = ['load', 'schema', 'test', 'doctor', 'plan', 'explain', 'selftest', 'token', 'completion']

const named = (kind: 'outputs' | 'routes' | 'verbs'): string[] =>
  Object.values<Row>(EXITS)
    .flatMap((exit) => exit[kind] ?? [])
    .toSorted()

function verbsOf(command: Command, words: readonly string[] = []): string[] {
  if (command.commands.length === 0) return [words.join(' ')]
  return command.commands.flatMap((part) => verbsOf(part, [...words, part.name()]))
}

test('every output of the ledger is in a row', () => {
  const outputs = TERMS.flatMap(({ output }) => output ?? [])
  expect(named('outputs')).toEqual(outputs.toSorted())
})

test('every route is in a row', () => {
  expect(named('routes')).toEqual([...Object.keys(ROUTES), ...Object.keys(API_ROUTES).map((name) => `api.${name}`)].toSorted())
})

test('every verb is in a row, or reads no records', () => {
  expect([...named('verbs'), ...WITHOUT_RECORDS].toSorted()).toEqual(verbsOf(createProgram(() => {})).toSorted())
})
