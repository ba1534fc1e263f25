import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { CtrError, exitCodeOf } from '../../src/errors.ts'
import { stateLimits } from '../../src/run/memory-plan.ts'

const MIB = 1024 * 1024
const config = (...sets: string[]) => loadConfig({ sets, env: {} })
const container = (mib: number) => ({ total: 64 * 1024 * MIB, limit: mib * MIB })

function refusal(run: () => unknown): CtrError {
  try {
    run()
  } catch (error) {
    if (error instanceof CtrError) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('in a container', () => {
  test('the default configuration fits into 512 MiB, and a GiB has room for 200,000 of the longest ids', () => {
    expect(stateLimits(config(), 1, container(512)).maxBytes).toBeGreaterThanOrEqual(32 * MIB)
    expect(stateLimits(config(), 1, container(1024)).maxBytes).toBeGreaterThan(200_000 * 1_184)
  })

  test('less than the sum is refused with all its items, their keys, and exit code 2; a byte more is not', () => {
    let least = 128 * MIB
    for (let step = 512 * MIB; step >= 1; step /= 2) {
      const total = least + step
      if (refuses(() => stateLimits(config(), 1, { total: 2 ** 40, limit: total }))) least = total
    }
    expect(() => stateLimits(config(), 1, { total: 2 ** 40, limit: least + 1 })).not.toThrow()
    const error = refusal(() => stateLimits(config(), 1, { total: 2 ** 40, limit: least }))
    expect(exitCodeOf(error)).toBe(2)
    for (const key of [
      'engine.workers',
      'engine.ringBytes',
      'kafka.fetchBytesPerPartition',
      'kafka.maxBatchBytes',
      'clickhouse.batchRows',
    ]) {
      expect(error.message).toContain(key)
    }
    const [first, ...items] = error.message.split('\n')
    const said = /needs (\d+)MiB/.exec(first ?? '')?.[1]
    const sum = items.map((item) => Number(/^\s*(\d+)MiB/.exec(item)?.[1])).reduce((a, b) => a + b, 0)
    expect(Math.abs(sum - Number(said))).toBeLessThanOrEqual(items.length)
    expect(first).toContain('give the container more memory, or lower what is listed')
  })

  test('so many products as do not fit are refused by their key', () => {
    expect(stateLimits(config('state.maxProducts=1000000'), 1, container(1024)).maxProducts).toBe(1_000_000)
    const error = refusal(() => stateLimits(config('state.maxProducts=10000000'), 1, container(1024)))
    expect(error.message).toContain('state.maxProducts 10000000')
  })

  test('schemas take what their cache may, where records name one', () => {
    const bytes = (...sets: string[]) => stateLimits(config(...sets), 1, container(1024)).maxBytes
    const avro = ['kafka.topics=[{name: c, format: avro}]', 'schemaRegistry.url=http://r:1', 'schemaRegistry.cache.maxBytes=40MiB']
    expect(bytes('kafka.topics=c') - bytes(...avro)).toBe(40 * MIB)
  })

  test('an output for late events takes what one for dead letters does', () => {
    const without = stateLimits(config(), 1, container(1024)).maxBytes
    for (const target of ['late.topic=late', 'late.file=late.jsonl'])
      expect(without - stateLimits(config(target), 1, container(1024)).maxBytes).toBe(16 * MIB)
  })

  test('what is lowered makes room', () => {
    expect(refuses(() => stateLimits(config(), 1, container(384)))).toBe(true)
    expect(refuses(() => stateLimits(config('kafka.maxBatchBytes=8MiB'), 1, container(384)))).toBe(false)
  })
})

test('without a container nothing is refused, and the memory of the machine bounds what is kept', () => {
  const small = { total: 256 * MIB, limit: undefined }
  expect(stateLimits(config(), 1, small)).toEqual({ maxProducts: Number.POSITIVE_INFINITY, maxBytes: 32 * MIB })
  expect(stateLimits(config(), 1, { total: 8192 * MIB, limit: undefined }).maxBytes).toBeGreaterThan(4096 * MIB)
})

function refuses(run: () => unknown): boolean {
  try {
    run()
    return false
  } catch {
    return true
  }
}
