import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import stringWidth from 'string-width'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { plainDiagnosis, renderDiagnosis } from '../../src/cli/doctor-view.ts'
import { main } from '../../src/cli/program.ts'
import type { CheckOutcome, Diagnosis } from '../../src/doctor/examine.ts'

const folder = mkdtempSync(join(tmpdir(), 'ctr-doctor-cli-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Takes connections and says nothing. */
let silentPort: number
const silent = createServer()
beforeAll(async () => {
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  silentPort = (silent.address() as AddressInfo).port
})
afterAll(() => void silent.close())

async function run(...words: string[]) {
  let out = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    out += String(chunk)
    return true
  })
  const kept = [`deadLetter.file=${folder}/letters`, `checkpoint.storage=${folder}/kept`, 'http.port=0']
  const served = words.some((word) => word.startsWith('--clickhouse.url='))
  const sets = served ? kept : [...kept, `clickhouse.embedded=${folder}/engine`]
  try {
    return { code: await main([...words, ...sets.flatMap((set) => ['--set', set])]), out }
  } finally {
    write.mockRestore()
  }
}

interface Answer {
  readonly counts: Diagnosis['counts']
  readonly checks: readonly CheckOutcome[]
}

test('dead brokers are one fault, and what depends on them is skipped; nothing is left behind', async () => {
  const { code, out } = await run('doctor', '--json', '--kafka.brokers=localhost:1')
  expect(code).toBe(1)
  const { counts, checks } = JSON.parse(out) as Answer
  expect(checks.filter(({ verdict }) => verdict === 'fault')).toMatchObject([
    {
      part: 'kafka',
      name: 'broker localhost:1',
      code: 'CTR_KAFKA_UNREACHABLE',
      remedy: expect.stringContaining('kafka.security.protocol'),
    },
  ])
  const skipped = checks.filter(({ verdict }) => verdict === 'skipped')
  expect(skipped.map(({ found }) => found)).toEqual(skipped.map(() => 'no broker answers'))
  expect(counts).toMatchObject({ fault: 1, skipped: skipped.length })
  expect(existsSync(join(folder, 'kept'))).toBe(false)
  expect(existsSync(join(folder, 'engine'))).toBe(false)
})

test('servers that take connections and say nothing are given up within the time', async () => {
  const began = performance.now()
  const to = `127.0.0.1:${silentPort}`
  const { code, out } = await run('doctor', '--timeout', '3s', '--json', `--kafka.brokers=${to}`, `--clickhouse.url=https://${to}`)
  expect(performance.now() - began).toBeLessThan(15_000)
  expect(code).toBe(1)
  const faults = (JSON.parse(out) as Answer).checks.filter(({ verdict }) => verdict === 'fault')
  expect(faults.map(({ name, code }) => [name, code])).toEqual([
    [`broker ${to}`, 'CTR_KAFKA_UNREACHABLE'],
    [`server https://${to}`, 'CTR_CLICKHOUSE_UNREACHABLE'],
  ])
})

test('config check --connect asks the servers only; without it nobody is asked', async () => {
  const { code, out } = await run('config', 'check', '--connect', '--kafka.brokers=localhost:1')
  expect(code).toBe(1)
  expect(out).toMatch(/ is sound: .*\nfault {3}kafka: broker localhost:1: /)
  expect(out).not.toContain('machine:')
  expect(await run('config', 'check', '--kafka.brokers=localhost:1')).toMatchObject({ code: 0 })
})

test('a configuration that is wrong ends with 2', async () => {
  expect(await run('doctor', '--window.size=x')).toMatchObject({ code: 2, out: '' })
})

const outcome = (more: Partial<CheckOutcome>): CheckOutcome => ({ part: 'kafka', name: 'a', ms: 1, verdict: 'ok', found: 'fine', ...more })

const DIAGNOSIS: Diagnosis = {
  outcomes: [
    outcome({ name: 'broker b:1', verdict: 'fault', found: `no answer, ${'and no word '.repeat(12)}`, remedy: 'start it\nlook at it' }),
    outcome({ name: 'topics', verdict: 'skipped', found: 'no broker answers' }),
    outcome({ name: 'group', verdict: 'skipped', found: 'no broker answers' }),
    outcome({ part: 'machine', name: 'memory', verdict: 'warning', found: 'little\n  1GiB  rings', remedy: 'buy some' }),
    outcome({ part: 'machine', name: 'cores' }),
  ],
  counts: { ok: 1, warning: 1, fault: 1, skipped: 2 },
}

describe('what was found', () => {
  test('is a table at a terminal, no wider than that', () => {
    const lines = renderDiagnosis(DIAGNOSIS, 80, false)
    for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(80)
    const text = lines.join('\n')
    expect(text).toMatch(/^Kafka\n {2}✗ broker b:1 {2}no answer/)
    expect(text).toMatch(/ → start it\n +→ look at it\n {2}- 2 more {6}not looked at \(topics, group\): no broker answers\n/)
    expect(text).toMatch(/\n\nThis machine\n {2}! memory {6}little\n +1GiB/)
    expect(lines.at(-1)).toBe('1 ok, 1 warning, 1 fault, 2 not looked at')
  })

  test('is a line for each check elsewhere', () => {
    expect(plainDiagnosis(DIAGNOSIS).map((line) => line.replaceAll(/(and no word )+/g, '…'))).toEqual([
      'fault   kafka: broker b:1: no answer, …; start it; look at it',
      'skipped kafka: topics: no broker answers',
      'skipped kafka: group: no broker answers',
      'warning machine: memory: little, 1GiB  rings; buy some',
      'ok      machine: cores: fine',
      '1 ok, 1 warning, 1 fault, 2 not looked at',
    ])
  })
})
