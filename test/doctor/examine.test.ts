import { expect, test } from 'vitest'
import { examine } from '../../src/doctor/examine.ts'
import { type Check, ok, warning } from '../../src/doctor/finding.ts'
import { CtrError } from '../../src/errors.ts'

const check = (name: string, look: Check['look']): Check => ({ part: 'kafka', name, look })
const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

test('checks are made at once, and told in their order whichever ends first', async () => {
  let open = 0
  let most = 0
  const slow = (name: string, ms: number) =>
    check(name, async () => {
      most = Math.max(most, ++open)
      await after(ms)
      open--
      return ok(name)
    })
  const { outcomes, counts } = await examine([slow('a', 40), slow('b', 5), slow('c', 20)], 5_000)
  expect(outcomes.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
  expect(most).toBe(3)
  expect(counts).toEqual({ ok: 3, warning: 0, fault: 0, skipped: 0 })
})

test('a check that does not end is a fault after its time, is told to stop, and holds up nobody', async () => {
  let told: AbortSignal | undefined
  const began = performance.now()
  const silent = check('silent', (signal) => {
    told = signal
    return new Promise(() => {})
  })
  const { outcomes } = await examine([silent, check('quick', async () => ok('fine'))], 50)
  expect(performance.now() - began).toBeLessThan(2_000)
  expect(outcomes[0]).toMatchObject({
    verdict: 'fault',
    found: 'nothing is known after 50ms',
    remedy: expect.stringContaining('--timeout'),
  })
  expect(outcomes[1]).toMatchObject({ verdict: 'ok' })
  expect(told?.aborted).toBe(true)
})

test('a check that throws, at once or later, is a fault in its words', async () => {
  const { outcomes, counts } = await examine(
    [
      check('at once', () => {
        throw new CtrError('CTR_CONFIG', 'no; mend it')
      }),
      check('later', async () => {
        await after(1)
        throw new CtrError('CTR_KAFKA_AUTH', 'denied; grant it')
      }),
      check('warned', async () => warning('hm', 'look')),
    ],
    1_000,
  )
  expect(outcomes.map(({ code, remedy }) => [code, remedy])).toEqual([
    ['CTR_CONFIG', 'mend it'],
    ['CTR_KAFKA_AUTH', 'grant it'],
    [undefined, 'look'],
  ])
  expect(counts).toEqual({ ok: 0, warning: 1, fault: 2, skipped: 0 })
})

test('progress names what is open', async () => {
  const told: [number, readonly string[]][] = []
  await examine([check('a', async () => ok('')), check('b', () => after(20).then(() => ok('')))], 1_000, (...now) => told.push(now))
  expect(told).toEqual([
    [0, ['a', 'b']],
    [1, ['b']],
    [2, []],
  ])
})
