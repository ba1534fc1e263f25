/** Every code of src has an entry, every entry is of a code of src, and what entries point to is there. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { KEYS } from '../../src/config/catalog.ts'
import { DEGRADED } from '../../src/degraded.ts'
import { type CodeGroup, explained, explanations, nearestCodes } from '../../src/explain/explain.ts'
import { METRIC_WORDS } from '../../src/explain/metric-words.ts'
import { REASONS } from '../../src/format/reasons.ts'
import { METRICS } from '../../src/metrics/metrics.ts'
import { ALERTS } from '../../src/monitoring/rules.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const SOURCES = globSync('src/**/*.ts', { cwd: root }).filter((path) => !path.startsWith('src/explain/'))
const TEXT = SOURCES.map((path) => readFileSync(`${root}/${path}`, 'utf8')).join('\n')
const all = explanations()
const codesOf = (group: CodeGroup) => all.filter((each) => each.group === group).map(({ code }) => code)

describe('every code of src has an entry, and the other way round', () => {
  test('errors, in the order of the list', () => {
    const list = /export type CtrErrorCode =\n((?: {2}\| '\w+'\n)+)/.exec(readFileSync(`${root}/src/errors.ts`, 'utf8'))?.[1] ?? ''
    const codes = [...list.matchAll(/'(\w+)'/g)].map(([, code = '']) => code)
    expect(codes.length).toBeGreaterThan(20)
    expect(codesOf('errors')).toEqual(codes)
    const used = new Set([...TEXT.replaceAll(/const VARIABLE = '\w+'/g, '').matchAll(/'(CTR_[A-Z_]+)'/g)].map(([, code = '']) => code))
    expect([...used].filter((code) => !codes.includes(code))).toEqual([])
    expect(codes.filter((code) => TEXT.split(`'${code}'`).length < 3)).toEqual([])
  })

  test('reasons of events, and what else becomes of records and rows', () => {
    const invalid = REASONS.filter((reason) => reason !== 'VALID')
    expect(codesOf('reasons')).toEqual([...invalid, 'LATE', 'IGNORED', 'ROW_REFUSED', 'EARLIER'])
    // What src gives to outputs as a reason.
    const given = new Set([...TEXT.matchAll(/\breason: '([A-Z_]+)'/g)].map(([, code = '']) => code))
    expect([...given].filter((code) => !codesOf('reasons').includes(code))).toEqual([])
    expect([...given]).toContain('ROW_REFUSED')
  })

  test('reasons of degraded', () => {
    expect(codesOf('degraded')).toEqual(Object.keys(DEGRADED))
  })

  test('alerts', () => {
    expect(codesOf('alerts')).toEqual(ALERTS.map(({ name }) => name))
  })

  test('metrics, with words in src/explain/metric-words.ts', () => {
    expect(Object.keys(METRIC_WORDS)).toEqual(METRICS.map(({ name }) => name))
    expect(codesOf('metrics')).toEqual(METRICS.map(({ name }) => name))
  })
})

describe('what an entry says', () => {
  test('is whole', () => {
    const half = all.filter(({ means, notice, commands }) => means.length < 10 || notice.length < 5 || commands.length === 0)
    expect(half.map(({ code }) => code)).toEqual([])
  })

  test('names keys that there are', () => {
    const known = new Set(KEYS.map(({ path }) => path))
    expect(all.flatMap(({ code, keys }) => keys.filter((key) => !known.has(key)).map((key) => `${code}: ${key}`))).toEqual([])
  })

  test('proposes verbs and options that there are', () => {
    const known = (words: readonly string[]): boolean => {
      let command: Command = createProgram(() => {})
      let i = 0
      for (let next: Command | undefined = command; next !== undefined; i++) {
        command = next
        next = command.commands.find((each) => each.name() === words[i])
      }
      const options = words.filter((word) => word.startsWith('--') && word !== '--help').map((word) => word.split('=')[0])
      const named = words[0]?.startsWith('-') === true || words[0] === 'VERB' || (command.parent !== null && command.commands.length === 0)
      return named && options.every((option) => command.options.some(({ long }) => long === option))
    }
    const own = all.flatMap(({ code, commands }) =>
      commands.map((command) => [code, command.replace(/^npx /, '').replaceAll(/"[^"]*"/g, 'X')] as const),
    )
    const wrong = own.filter(([, command]) => command.startsWith('ctr ') && !known(command.split(' ').slice(1)))
    expect(wrong.map((each) => each.join(': '))).toEqual([])
    expect(known(['letters', 'stat', '--late'])).toBe(false)
    expect(known(['letters', 'stats', '--late'])).toBe(true)
    expect(known(['letters', 'stats', '--latest'])).toBe(false)
    expect(known(['nothing'])).toBe(false)
  })

  test('links to headings that there are', () => {
    const anchorOf = (heading: string) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-')
    const missing = all.filter(({ more }) => {
      const [file = '', anchor] = more.split('#')
      if (!existsSync(`${root}/docs/${file}`)) return true
      const headings = [...readFileSync(`${root}/docs/${file}`, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
        anchorOf(heading),
      )
      return anchor !== undefined && !headings.includes(anchor)
    })
    expect(missing.map(({ code, more }) => `${code}: ${more}`)).toEqual([])
  })

  test('no code is two things', () => {
    const names = all.map(({ code }) => code.toLowerCase())
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
  })

  test.each([
    ['CTR_KAFKA_AUTH', 'A process that ends by it has exit code 2.'],
    ['CTR_KAFKA_UNREACHABLE', 'A process that ends by it has exit code 1.'],
    ['NOT_JSON', 'Letters carry the errorCode DESERIALIZATION_ERROR.'],
    ['CtrRowsParked', 'It is critical.'],
    ['ctr_rows_parked_total', 'Alerts on it: CtrRowsParked.'],
  ])('%s: %s', (code, fact) => {
    expect(explained(code)[0]?.facts).toContain(fact)
  })
})

describe('a code is found', () => {
  test.each([
    ['CTR_KAFKA_AUTH', ['CTR_KAFKA_AUTH']],
    ['kafka_auth', ['CTR_KAFKA_AUTH']],
    ['ctrnoinput', ['CtrNoInput']],
    ['Lateness', ['lateness']],
    ['READY', ['ctr_ready']],
    ['deserialization_error', ['NOT_UTF8', 'NOT_JSON', 'FRAME', 'SCHEMA_UNKNOWN', 'SCHEMA_MISMATCH', 'NOT_AVRO', 'NOT_PROTOBUF']],
    ['LATE_EVENT', ['LATE']],
    ['nothing of the kind', []],
  ])('%s', (word, codes) => {
    expect(explained(word).map(({ code }) => code)).toEqual(codes)
  })

  test.each([
    ['CTR_KAFKA_AHTU', 'CTR_KAFKA_AUTH'],
    ['not_jsn', 'NOT_JSON'],
    ['ctr_row_parked_total', 'ctr_rows_parked_total'],
    ['latenes', 'lateness'],
    ['CtrLagGrow', 'CtrLagGrowing'],
  ])('%s is near %s', (word, code) => {
    expect(nearestCodes(word)[0]).toBe(code)
  })

  test('what is like nothing is near nothing, and no list is long', () => {
    expect(nearestCodes('zzzzzzzzzzzz')).toEqual([])
    expect(nearestCodes('ctr').length).toBeLessThanOrEqual(5)
  })
})
