/** Which members of a group are made to leave, waited for or respected; pretended coordinators, then a real one. */
import kafkajs from 'kafkajs'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { DescribedGroup } from '../../src/kafka/group-facts.ts'
import { type ClaimOptions, claimGroup, deadAmong, tryDismissDead } from '../../src/kafka/group-members.ts'
import type { GroupCoordinator } from '../../src/kafka/kafkajs-adapter.ts'
import { beginLife, type Life, readSign, type Sign, spellSign } from '../../src/proof-of-life.ts'
import { createTopics, fresh, plainClient, sourceOptions, until, withSource } from '../../workshop/kafka-harness.ts'
import { sharedBrokers } from '../support/shared-broker.ts'

const UUID = '0b9c2f1e-6c54-4d6e-9f5e-3f1f7a1c9b00'
const logger = pino({ level: 'silent' })

let life: Life

beforeEach(async () => {
  life = await beginLife('ctr')
})
afterEach(() => life.end())

const lived = async (): Promise<Life> => {
  const other = await beginLife('ctr')
  onTestFinished(() => other.end())
  return other
}
const died = async (): Promise<Life> => {
  const other = await beginLife('ctr')
  other.end()
  return other
}
const elsewhere = (): Sign => ({ ...life.sign, place: 'bbbbbbbbbbbb', container: '', token: '0'.repeat(16), since: 1_700_000_000_000 })

/** A group of these clients, each with task `at`; `left` are those that were made to leave, by client. */
function group(clients: string[], state = 'Stable') {
  const left: string[] = []
  const memberAssignment = (at: number) =>
    kafkajs.AssignerProtocol.MemberAssignment.encode({ version: 1, assignment: { t: [at] }, userData: Buffer.alloc(0) })
  const coordinator: GroupCoordinator = {
    describeGroups: async () => {
      const members = clients.map((clientId, at) => ({ memberId: `${clientId}-${UUID}`, clientId, memberAssignment: memberAssignment(at) }))
      return { groups: [{ state, members: members.filter(({ clientId }) => !left.includes(clientId)) } satisfies DescribedGroup] }
    },
    leaveGroup: async ({ memberId }) => void left.push(memberId.slice(0, -UUID.length - 1)),
  }
  return { left, coordinator, cluster: { findGroupCoordinator: async () => coordinator } as never }
}

const looker = (ownId = '') => ({ groupId: 'g', life, ownId: () => ownId, logger })

test('the dead are made to leave; the living, those of other places and other clients stay, and so does oneself', async () => {
  const [alive, dead] = [(await lived()).name, (await died()).name]
  const { cluster, left } = group([alive, dead, spellSign(elsewhere()), 'ctr', life.name])
  await tryDismissDead(cluster, looker())
  expect(left).toEqual([dead])
})

test('a join of its own that it knows nothing of is as good as dead', async () => {
  const { coordinator, left } = group([life.name])
  expect([...(await deadAmong([`${life.name}-${UUID}`], coordinator, looker(`${life.name}-${UUID}`)))]).toEqual([])
  expect([...(await deadAmong([`${life.name}-${UUID}`], coordinator, looker('another')))]).toHaveLength(1)
  expect(left).toEqual([life.name])
})

test.each([
  ['no coordinator', { findGroupCoordinator: () => Promise.reject(new Error('no coordinator')) }],
  ['no permission', { findGroupCoordinator: async () => ({ describeGroups: () => Promise.reject(new Error('no permission')) }) }],
])('%s: a start goes on all the same', async (_what, cluster) => {
  await tryDismissDead(cluster as never, looker())
})

describe('a run that needs its group for itself', () => {
  const options = (signal = new AbortController().signal): ClaimOptions => {
    return { ...looker(), brokers: ['b:1'], sessionTimeoutMs: 6_000, rebalanceTimeoutMs: 60_000, purpose: 'a run', signal }
  }
  /** How long it took in virtual time, and how it went. */
  const claim = async (cluster: never) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const from = performance.now()
    let over = false
    const claiming = claimGroup(cluster, options())
      .then(
        () => 'claimed',
        (error: unknown) => error,
      )
      .finally(() => {
        over = true
      })
    while (!over) {
      await new Promise(setImmediate)
      await vi.advanceTimersByTimeAsync(100)
    }
    return { result: await claiming, ms: performance.now() - from }
  }

  test('has it when nobody else is there, or only the dead', async () => {
    expect((await claim(group([]).cluster)).result).toBe('claimed')
    const { cluster, left } = group([(await died()).name], 'PreparingRebalance')
    expect((await claim(cluster)).result).toBe('claimed')
    expect(left).toHaveLength(1)
  })

  test('refuses at once beside a member that lives, and says who it is, since when, and what it has', async () => {
    const other = await lived()
    const { result, ms } = await claim(group([spellSign(elsewhere()), other.name]).cluster)
    expect(ms).toBeLessThan(1_000)
    expect(result).toMatchObject({ code: 'CTR_GROUP_BUSY' })
    const since = new Date(other.sign.since).toISOString()
    expect((result as Error).message).toContain(`ctr (pid ${process.pid} of ${other.sign.host}, since ${since}), tasks 1`)
  })

  test('refuses beside one of which nothing can be known when its session has had time to end', async () => {
    const { result, ms } = await claim(group(['ctr']).cluster)
    expect(result).toMatchObject({ code: 'CTR_GROUP_BUSY', message: expect.stringContaining('which may live elsewhere') })
    expect(ms).toBeGreaterThan(9_000)
    expect(ms).toBeLessThan(11_000)
  })

  test('has it as soon as the session of such a one has ended', async () => {
    const { coordinator, left } = group(['ctr'])
    let looks = 0
    const describeGroups = () => {
      if (++looks > 10) left.push('ctr')
      return coordinator.describeGroups({ groupIds: [] })
    }
    const gone = { ...coordinator, describeGroups }
    const { result, ms } = await claim({ findGroupCoordinator: async () => gone } as never)
    expect(result).toBe('claimed')
    expect(ms).toBeLessThan(7_000)
  })

  test('asks on while the coordinator can not be asked, and ends when it may not look', async () => {
    const { coordinator } = group([])
    let asked = 0
    const away = {
      ...coordinator,
      describeGroups: () => (++asked < 4 ? Promise.reject(new Error('away')) : coordinator.describeGroups({ groupIds: [] })),
    }
    expect((await claim({ findGroupCoordinator: async () => away } as never)).result).toBe('claimed')
    const denied = Object.assign(new Error('no'), { type: 'GROUP_AUTHORIZATION_FAILED' })
    const closed = { findGroupCoordinator: () => Promise.reject(denied) }
    expect((await claim(closed as never)).result).toMatchObject({ code: 'CTR_KAFKA_AUTH' })
  })

  test('waits no longer than it is asked to', async () => {
    await claimGroup(group(['ctr']).cluster, options(AbortSignal.timeout(50)))
  })
})

describe('at a real broker', () => {
  const brokersOf = sharedBrokers()
  const membersOf = async (groupId: string) => {
    const admin = plainClient(await brokersOf).admin()
    await admin.connect()
    const { groups } = await admin.describeGroups([groupId])
    await admin.disconnect()
    return groups[0]?.members ?? []
  }

  test('a member joins under a name of its own, by one request, and is gone with its source', async () => {
    const topic = fresh('topic')
    await createTopics(await brokersOf, [topic], 1)
    const options = sourceOptions(await brokersOf, [topic], { clientId: 'ctr' })
    await withSource(options, async (taker) => {
      await until('assigned', () => taker.assignedNow.size === 1)
      const [member] = await membersOf(options.groupId)
      expect(readSign(member?.clientId ?? '')).toMatchObject({ client: 'ctr', pid: process.pid })
      expect(readSign(member?.memberId ?? '')).toEqual(readSign(member?.clientId ?? ''))
    })
    expect(await membersOf(options.groupId)).toEqual([])
  })

  test('a bounded run that loses a part of its partitions to another member fails, and says to whom', async () => {
    const topic = fresh('topic')
    await createTopics(await brokersOf, [topic], 4)
    const options = sourceOptions(await brokersOf, [topic])
    await withSource({ ...options, bounded: true }, async (first, source) => {
      await until('all', () => first.assignedNow.size === 4)
      expect(source.extent).toEqual({ tasks: 4, partitions: 4 })
      await withSource({ ...options, clientId: 'second' }, async () => {
        await until('it fails', () => first.failures.length === 1)
        expect(first.failures[0]).toMatchObject({ code: 'CTR_GROUP_BUSY', message: expect.stringContaining('second (pid') })
        expect(first.assignedNow.size).toBe(4)
      })
    })
  })

  test('a run with --reset refuses beside a member that lives', async () => {
    const topic = fresh('topic')
    await createTopics(await brokersOf, [topic], 1)
    const options = sourceOptions(await brokersOf, [topic])
    await withSource(options, async () => {
      const refused = withSource({ ...options, reset: 'earliest' }, async () => {})
      await expect(refused).rejects.toMatchObject({ code: 'CTR_GROUP_BUSY', message: expect.stringContaining('a run with --reset') })
    })
  })
})
