// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${VAR} is the notation under test
/** Whatever a file holds, loading gives a frozen configuration or a CTR_CONFIG error, and never shows a secret. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { KEYS } from '../../src/config/catalog.ts'
import { loadConfig } from '../../src/config/load.ts'
import { CtrError } from '../../src/errors.ts'
import { repetitions } from '../support/effort.ts'

const RUNS = repetitions({ unit: 50, all: 150, long: 300 })
const SECRET = 'hunter2hunter2'

const folder = mkdtempSync(join(tmpdir(), 'ctr-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** One file for all runs, with new content. */
function rewritten(content: string): string {
  const file = join(folder, 'ctr.yaml')
  writeFileSync(file, content)
  return file
}

const paths = KEYS.map(({ path }) => path).filter((path) => !path.includes('[]'))
const junk = fc.oneof(
  fc.constantFrom(
    '10s',
    '4MiB',
    'auto',
    'true',
    '0',
    '-1',
    'a,b',
    'h:1',
    '',
    'SASL_SSL',
    'timestamp',
    'https://h:1',
    '${NO_SUCH}',
    '${X:5}',
  ),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.string({ maxLength: 20 }),
  fc.array(fc.anything({ maxDepth: 1, withNullPrototype: false }), { maxLength: 3 }),
  fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 }),
)
const entries = fc.array(fc.tuple(fc.oneof(fc.constantFrom(...paths), fc.string({ maxLength: 12 })), junk), { maxLength: 12 })

function tree(pairs: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const root: Record<string, unknown> = Object.create(null)
  for (const [path, value] of pairs) {
    const parts = path.split('.')
    let at = root
    for (const part of parts.slice(0, -1)) {
      if (typeof at[part] !== 'object' || at[part] === null || Array.isArray(at[part])) at[part] = Object.create(null)
      at = at[part] as Record<string, unknown>
    }
    at[parts.at(-1) ?? ''] = value
  }
  return root
}

function outcome(file: string | undefined, sets: string[]): string {
  try {
    expect(Object.isFrozen(loadConfig({ file, sets, env: {} }))).toBe(true)
    return ''
  } catch (error) {
    if (!(error instanceof CtrError)) throw error
    expect(error.code).toBe('CTR_CONFIG')
    return error.message
  }
}

test('any tree of known and unknown keys', () => {
  fc.assert(
    fc.property(entries, (pairs) => {
      outcome(rewritten(stringify(JSON.parse(JSON.stringify(tree(pairs))))), [])
    }),
    { numRuns: RUNS },
  )
})

test('any text as a file, any texts as --set', () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom('kafka:', '  brokers:', '- a', 'a: &x [*x]', '? ', '%YAML 9', '---'),
  )
  const set = fc.tuple(fc.constantFrom(...paths), fc.string({ maxLength: 20 })).map(([path, value]) => `${path}=${value}`)
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 8 }),
      fc.array(fc.oneof(set, fc.string({ maxLength: 20 })), { maxLength: 4 }),
      (lines, sets) => {
        outcome(rewritten(lines.join('\n')), sets)
      },
    ),
    { numRuns: RUNS },
  )
})

test('a secret is never shown, whatever else is wrong and whatever shape it has', () => {
  const shape = fc.constantFrom<unknown>(SECRET, [SECRET], { a: SECRET }, { [SECRET.slice(0, 3)]: SECRET }, `\${NO_SUCH}${SECRET}`)
  const where = fc.constantFrom(
    'clickhouse.password',
    'kafka.security.sasl.password',
    'kafka.security.sasl',
    'kafka.security',
    'clickhouse.passwort',
  )
  fc.assert(
    fc.property(entries, where, shape, (pairs, path, secret) => {
      const content = tree([...pairs.filter(([other]) => !/^(kafka|clickhouse)$/.test(other)), [path, secret]])
      return !outcome(rewritten(stringify(JSON.parse(JSON.stringify(content)))), []).includes(SECRET)
    }),
    { numRuns: RUNS },
  )
})
