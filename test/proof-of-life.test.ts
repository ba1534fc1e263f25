/** What a member's name says, and what can be known of the life behind it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { beginLife, readSign, type Sign, spellSign, vitalOf, whereWeAre } from '../src/proof-of-life.ts'

const HERE = { host: 'ctr-0', place: '3f9c0a1b2c4d', container: 'aaaaaaaaaaaa' }
const SIGN: Sign = { ...HERE, client: 'ctr', pid: 17, since: 1_700_000_000_000, token: '9f86d081884c7d65' }
const NAME = 'ctr@ctr-0:17/3f9c0a1b2c4d.aaaaaaaaaaaa.loyw3v28.9f86d081884c7d65'

test('a name says who, where and since when, and so does the id that a broker makes of it', () => {
  expect(spellSign(SIGN)).toBe(NAME)
  expect(readSign(NAME)).toEqual(SIGN)
  expect(readSign(`${NAME}-0b9c2f1e-6c54-4d6e-9f5e-3f1f7a1c9b00`)).toEqual(SIGN)
  const bare = { ...SIGN, client: 'a@b:1/c', place: '', container: '' }
  expect(readSign(spellSign(bare))).toEqual(bare)
})

test.each(['ctr', 'ctr-0b9c2f1e-6c54-4d6e-9f5e-3f1f7a1c9b00', 'ctr@host', `${NAME}0`, NAME.slice(0, -1), ''])('%j says nothing', (name) => {
  expect(readSign(name)).toBeUndefined()
})

test.each([
  ['the same place, and it answers', SIGN, true, 'alive'],
  ['the same place, and nobody answers', SIGN, false, 'dead'],
  ['this container, before it was restarted', { ...SIGN, place: 'bbbbbbbbbbbb' }, true, 'dead'],
  ['the same host name and pid elsewhere', { ...SIGN, place: 'bbbbbbbbbbbb', container: 'cccccccccccc' }, false, 'unknown'],
  ['no container, another place', { ...SIGN, place: 'bbbbbbbbbbbb', container: '' }, false, 'unknown'],
  ['a place that it could not read', { ...SIGN, place: '' }, false, 'unknown'],
  ['a name of another make', undefined, false, 'unknown'],
] as const)('%s: %s', async (_what, sign, answers, vital) => {
  expect(await vitalOf(sign, HERE, async () => answers)).toBe(vital)
  expect(await vitalOf(sign, { ...HERE, container: '' }, async () => answers)).toBe(sign?.place === HERE.place ? vital : 'unknown')
})

test('without a place of its own nobody can tell anything', async () => {
  expect(await vitalOf({ ...SIGN, place: '' }, { ...HERE, place: '' }, async () => false)).toBe('unknown')
})

describe('a life', () => {
  test('is seen until it ends, and its name is no other one', async () => {
    const [one, other] = [await beginLife('ctr'), await beginLife('ctr')]
    onTestFinished(() => other.end())
    expect(one.name).not.toBe(other.name)
    expect(readSign(one.name)).toEqual(one.sign)
    expect(await vitalOf(one.sign, other.sign)).toBe('alive')
    one.end()
    expect(await vitalOf(one.sign, other.sign)).toBe('dead')
  })

  test('of another process lasts as long as that, stopped or not, and not a moment longer', async () => {
    const script = `const { beginLife } = await import('./src/proof-of-life.ts')
      console.log((await beginLife('ctr')).name)
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script])
    onTestFinished(() => void child.kill('SIGKILL'))
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const sign = readSign(line.toString().trim())
    const here = whereWeAre()
    expect(await vitalOf(sign, here)).toBe('alive')
    child.kill('SIGSTOP')
    expect(await vitalOf(sign, here)).toBe('alive')
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
    expect(await vitalOf(sign, here)).toBe('dead')
  })
})
