import { describe, expect, test } from 'vitest'
import { explainVerb } from '../../src/cli/explain.ts'
import { failureText } from '../../src/cli/failure-text.ts'
import { CtrError } from '../../src/errors.ts'

function said(word: string | undefined, json = false, width = 80): string {
  let text = ''
  const take = (part: string) => {
    text += part
  }
  expect(explainVerb(word, { json }, take, width)).toBe(0)
  return text
}

describe('ctr explain', () => {
  test('says what a code means, what users notice, what to do first, which keys change it and where more is written', () => {
    const text = said('CTR_CLICKHOUSE_AUTH')
    for (const part of [
      'Users notice',
      'First\n  ctr schema grants',
      'Keys\n  clickhouse.username',
      'More\n  docs/operations.md#users-of-clickhouse',
    ])
      expect(text).toContain(part)
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  test('without a code lists each group with its codes, a line each', () => {
    const lines = said(undefined).split('\n')
    expect(lines.filter((line) => /^\w/.test(line))).toEqual(['errors', 'reasons', 'degraded', 'alerts', 'metrics'])
    for (const code of ['CTR_USAGE', 'NOT_JSON', 'lateness', 'CtrDown', 'ctr_ready']) {
      expect(lines.filter((line) => line.startsWith(`  ${code} `))).toHaveLength(1)
    }
  })

  test('lists one group by its name', () => {
    expect(said('Degraded').split('\n')[0]).toBe('degraded')
    expect(said('degraded')).not.toContain('CTR_USAGE')
  })

  test('fits the narrowest terminal as well as it goes', () => {
    for (const width of [0, 1, 30])
      expect(
        Math.max(
          ...said('lateness', false, width)
            .split('\n')
            .slice(0, 3)
            .map((line) => line.length),
        ),
      ).toBeLessThan(33)
  })

  test('gives JSON', () => {
    const [entry] = JSON.parse(said('timeStands', true)) as { code: string; group: string; keys: string[] }[]
    expect(entry).toMatchObject({ code: 'timeStands', group: 'degraded', keys: ['time.maxJump', 'time.idleTimeout', 'events.time.unit'] })
  })

  test('proposes near codes for one that there is not', () => {
    expect(() => said('CTR_KAFKA_AUHT')).toThrow('CTR_KAFKA_AUHT: no such code; did you mean CTR_KAFKA_AUTH')
    expect(() => said('')).toThrow("'': no such code; `ctr explain` alone lists all codes")
  })
})

describe('what a failure says', () => {
  const failure = new CtrError('CTR_INPUT', 'a \u001b[2J of http://user:secret@host', { cause: new Error('below') })

  test('on a terminal ends with where more can be read, and obeys nothing', () => {
    const text = failureText(failure, true)
    expect(text).toBe('ctr: CTR_INPUT: a \\x1b[2J of http://***@host\n  caused by: below\n  more: ctr explain CTR_INPUT\n')
  })

  test('elsewhere is the message alone', () => {
    expect(failureText(failure, false)).not.toContain('ctr explain')
  })

  test('a bug has no code to explain', () => {
    expect(failureText(new TypeError('x'), true)).toMatch(/^ctr: this is a bug, please report it\nTypeError: x/)
    expect(failureText(new TypeError('x'), true)).not.toContain('ctr explain')
  })
})
