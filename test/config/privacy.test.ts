import { expect, test } from 'vitest'
import { loadConfig, writtenConfig } from '../../src/config/load.ts'
import { maskKeys } from '../../src/config/mask-keys.ts'
import { printConfig } from '../../src/config/print.ts'
import { CtrError } from '../../src/errors.ts'
import { temporaryFile } from '../support/config-file.ts'

const MASKED = 'privacy.payload=masked'
const SECRET = 'planted-'.repeat(4)

function fault(...sets: string[]): string | undefined {
  try {
    loadConfig({ sets, env: {} })
  } catch (error) {
    const lines = (error as Error).message.split('\n').slice(1)
    expect(lines).toHaveLength(1)
    return lines[0]?.trim()
  }
  return undefined
}

test.each([
  [['privacy.keep=product_id'], 'privacy.keep has no effect when privacy.payload is full'],
  [['privacy.names=note'], 'privacy.names has no effect when privacy.payload is full'],
  [[MASKED, 'privacy.keep=[a..b]'], 'privacy.keep[0] is no path'],
  [[MASKED, 'privacy.keys=[{id: a}]'], 'privacy.keys[0] has neither env nor file'],
  [[MASKED, 'privacy.keys=[{id: a, env: A, file: b}]'], 'privacy.keys[0] has both env and file'],
  [[MASKED, 'privacy.keys=[{id: a, env: A}, {id: a, env: B}]'], 'privacy.keys[1].id is listed twice'],
  [[MASKED, `privacy.keys=[{id: "a:b", env: A}]`], 'privacy.keys[0].id is not valid'],
  [[MASKED, `privacy.keys=[{id: a, env: "${SECRET}"}]`], 'write the name of a variable such as CTR_MASK_KEY, not the key'],
])('%j: %s', (sets, says) => {
  expect(fault(...sets)).toContain(says)
})

test('the first key masks, others are for comparing; blanks around one are no part of it', () => {
  const file = temporaryFile(`${SECRET}\n`, 'key')
  const config = loadConfig({ sets: [MASKED, `privacy.keys=[{id: new, file: "${file}"}, {id: old, env: OLD}]`], env: {} })
  expect(maskKeys(config, { OLD: ` ${'x'.repeat(32)}` })).toEqual([
    { id: 'new', secret: SECRET },
    { id: 'old', secret: 'x'.repeat(32) },
  ])
})

test.each([
  ['{id: a, env: KEY}', {}, 'privacy.keys[0].env KEY: the variable is not set, and a key of masks has 32 bytes or more'],
  ['{id: a, env: KEY}', { KEY: 'planted'.padEnd(31, '-') }, 'privacy.keys[0].env KEY: the key has 31 bytes'],
  ['{id: a, file: /no/such}', {}, 'privacy.keys[0].file /no/such: there is no such file'],
])('a key that can not be had ends a start: %s', (key, env, says) => {
  const config = loadConfig({ sets: [MASKED, `privacy.keys=[${key}]`], env: {} })
  const start = () => maskKeys(config, env)
  expect(start).toThrow(CtrError)
  expect(start).toThrow(says)
  expect(start).not.toThrow('planted')
})

test('what is printed names where a key is, and has nothing of the key', () => {
  const file = temporaryFile(SECRET, 'key')
  const sets = [MASKED, 'privacy.keep=product_id', `privacy.keys=[{id: k1, file: "${file}"}, {id: k0, env: CTR_TEST_MASK}]`]
  const printed = printConfig(writtenConfig({ sets, env: { CTR_TEST_MASK: SECRET } }))
  expect(printed).toContain('keys: [{id: k1, file:')
  expect(printed).toContain('{id: k0, env: CTR_TEST_MASK}')
  expect(printed).not.toContain(SECRET)
})
