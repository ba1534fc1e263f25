/** Which members a process takes for its former self, and what comes of it at a real broker. */
import { hostname } from 'node:os'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { coPartitionAssigner } from '../../src/kafka/co-partition-assigner.ts'
import { evictFormerMembers, formerMembers, type GroupMember, type Self } from '../../src/kafka/former-member.ts'
import { createTopics, fresh, plainClient, sourceOptions, until, withSource } from '../../workshop/kafka-harness.ts'
import { sharedBrokers } from '../support/shared-broker.ts'

const HERE = 'host-a'
const OWN_PID = 10
const LIVE_PID = 20
const DEAD_PID = 30

interface Case {
  readonly what: string
  readonly self?: Partial<Self>
  readonly member?: Partial<GroupMember>
  readonly former: boolean
}

const CASES: readonly Case[] = [
  { what: 'here, its process is gone', member: { facts: { host: HERE, pid: DEAD_PID } }, former: true },
  { what: 'here, it had our pid, as in a container', member: { facts: { host: HERE, pid: OWN_PID } }, former: true },
  { what: 'here, its process runs', member: { facts: { host: HERE, pid: LIVE_PID } }, former: false },
  {
    what: 'here, its process runs, whatever the name',
    self: { named: false },
    member: { facts: { host: HERE, pid: LIVE_PID } },
    former: false,
  },
  { what: 'here, its process is gone, no name', self: { named: false }, member: { facts: { host: HERE, pid: DEAD_PID } }, former: true },
  { what: 'elsewhere, by name', member: { facts: { host: 'host-b', pid: LIVE_PID } }, former: true },
  { what: 'elsewhere, no name', self: { named: false }, member: { facts: { host: 'host-b', pid: DEAD_PID } }, former: false },
  { what: 'elsewhere, our pid, no name', self: { named: false }, member: { facts: { host: 'host-b', pid: OWN_PID } }, former: false },
  { what: 'says nothing, by name', member: { facts: undefined }, former: true },
  { what: 'says nothing, no name', self: { named: false }, member: { facts: undefined }, former: false },
  { what: 'another name, its process is gone', member: { clientId: 'ctr-1', facts: { host: HERE, pid: DEAD_PID } }, former: false },
  { what: 'another name elsewhere', member: { clientId: 'ctr-1', facts: { host: 'host-b', pid: DEAD_PID } }, former: false },
]

test.each(CASES)('$what: former self $former', ({ self, member, former }) => {
  const looking: Self = { clientId: 'ctr-0', named: true, host: HERE, pid: OWN_PID, ...self }
  const found: GroupMember = { memberId: 'm', clientId: 'ctr-0', facts: undefined, ...member }
  expect(formerMembers([found], looking, (pid) => pid === LIVE_PID)).toEqual(former ? ['m'] : [])
})

test.each([
  ['no coordinator', { findGroupCoordinator: () => Promise.reject(new Error('no coordinator')) }],
  ['no permission to look', coordinator({ describeGroups: () => Promise.reject(new Error('no permission to look')) })],
  ['it has left since', coordinator({ leaveGroup: () => Promise.reject(new Error('it has left since')) })],
])('%s: that is only logged', async (reason, cluster) => {
  const lines: unknown[][] = []
  const logger = { info: () => {}, warn: (...line: unknown[]) => lines.push(line) }
  await evictFormerMembers(cluster as never, 'group', { clientId: 'ctr-0', named: true, host: HERE, pid: OWN_PID }, logger as never)
  expect(lines).toEqual([[{ reason }, expect.stringContaining('its session is waited out')]])
})

function coordinator(methods: object) {
  const members = [{ memberId: 'm', clientId: 'ctr-0', memberMetadata: Buffer.alloc(0) }]
  const whole = { describeGroups: async () => ({ groups: [{ members }] }), leaveGroup: async () => {}, ...methods }
  return { findGroupCoordinator: async () => whole }
}

let brokers: string[]

beforeAll(async () => {
  brokers = await sharedBrokers()
})

/** A member that says it is process `pid` of `host`; each join's id is kept. */
async function startMember(clientId: string, groupId: string, topic: string, process: { host: string; pid: number }): Promise<string[]> {
  const facts = { tasks: [], generation: -1, ...process }
  const consumer = plainClient(brokers, clientId).consumer({
    groupId,
    partitionAssigners: [coPartitionAssigner({ adopt: () => {}, describe: () => facts })],
    heartbeatInterval: 200,
    maxWaitTimeInMs: 50,
  })
  const ids: string[] = []
  consumer.on('consumer.group_join', ({ payload }) => void ids.push(payload.memberId))
  onTestFinished(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topic })
  await consumer.run({ eachMessage: async () => {} })
  await until('the member has joined', () => ids.length === 1)
  return ids
}

test.each([
  ['of a process that is gone is made to leave', { host: hostname(), pid: 2 ** 30 }, true],
  ['of a process that runs stays', { host: hostname(), pid: process.ppid }, false],
  ['of the same name on another host is made to leave', { host: 'elsewhere', pid: process.ppid }, true],
])('a member %s; if it lives, it joins again, and both have their share', async (_what, owner, leaves) => {
  const topic = fresh('topic')
  await createTopics(brokers, [topic], 2)
  const options = sourceOptions(brokers, [topic], { clientId: fresh('client') })
  const ids = await startMember(options.clientId, options.groupId, topic, owner)
  await withSource(options, async (taker) => {
    await until('shared', () => taker.assignedNow.size === 1 && ids.length >= 2)
    expect(new Set(ids).size).toBe(leaves ? 2 : 1)
  })
})

test('a member of another host with the default name stays', async () => {
  const topic = fresh('topic')
  await createTopics(brokers, [topic], 2)
  const options = sourceOptions(brokers, [topic], { clientId: 'ctr' })
  const ids = await startMember('ctr', options.groupId, topic, { host: 'elsewhere', pid: 1 })
  await withSource(options, async (taker) => {
    await until('shared', () => taker.assignedNow.size === 1 && ids.length === 2)
    expect(new Set(ids).size).toBe(1)
  })
})
