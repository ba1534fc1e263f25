import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../../src/config/units.ts'
import {
  aclOf,
  judgeCleanup,
  judgeGroup,
  judgeOffsets,
  judgePartitions,
  judgeReach,
  judgeRecordTimes,
  judgeRetention,
  judgeTopicRights,
  judgeVersions,
  neededMs,
} from '../../src/doctor/kafka-judge.ts'
import type { GroupFacts } from '../../src/kafka/group-facts.ts'
import type { TopicFacts } from '../../src/kafka/topic-ids.ts'

const BROKER = 'b:9092'
const acl = { broker: BROKER, user: 'User:bob' }
const READ = 1 << 3
const DESCRIBE = 1 << 8

function topic(name: string, more: Partial<TopicFacts> = {}): TopicFacts {
  return { name, id: 'x', errorCode: 0, partitions: 4, leaderless: [], operations: READ | DESCRIBE, ...more }
}

/** What Kafka 4.1 answers. */
const NOW = { 0: [3, 13], 1: [4, 17], 2: [1, 10], 3: [0, 13], 8: [2, 10], 9: [1, 10], 10: [0, 6], 11: [2, 9] }

function versions(more: Readonly<Record<number, readonly [number, number]>> = {}) {
  return Object.fromEntries(
    Object.entries({ ...NOW, ...more }).map(([key, [min = 0, max = 0]]) => [key, { minVersion: min, maxVersion: max }]),
  )
}

describe('versions', () => {
  test.each([
    ['of today', {}, 'ok', 'fetched by their ids'],
    ['before fetches by id', { 1: [0, 12] as const }, 'ok', 'fetched by their names'],
    ['before ids', { 1: [0, 11] as const, 3: [0, 9] as const }, 'warning', 'no ids'],
    ['whose fetches are too old', { 1: [0, 3] as const }, 'fault', 'Fetch 4 to 11 (it has 0 to 3)'],
    ['whose fetches are too new', { 1: [12, 20] as const }, 'fault', 'Fetch 4 to 11 (it has 12 to 20)'],
  ])('%s', (_, more, verdict, part) => {
    expect(judgeVersions(versions(more), true)).toMatchObject({ verdict, found: expect.stringContaining(part) })
  })

  test('what is produced matters where something is', () => {
    const old = versions({ 0: [0, 6] })
    expect(judgeVersions(old, true)).toMatchObject({ verdict: 'fault', found: expect.stringContaining('Produce 7') })
    expect(judgeVersions(old, false).verdict).toBe('ok')
  })
})

test('a right that is missing comes with the command that grants it', () => {
  expect(judgeTopicRights([topic('a'), topic('b')], ['Read', 'Describe'], acl).verdict).toBe('ok')
  expect(judgeTopicRights([topic('a'), topic('b', { operations: DESCRIBE })], ['Read', 'Describe'], acl)).toEqual({
    verdict: 'fault',
    found: 'User:bob may not read b',
    remedy: 'kafka-acls.sh --bootstrap-server b:9092 --add --allow-principal User:bob --operation Read --topic b',
  })
})

test('who is granted is the user of SASL, nobody, or whom a certificate names', () => {
  const user = (...sets: string[]) => aclOf(loadConfig({ sets, env: {} })).user
  expect(user()).toBe('User:ANONYMOUS')
  expect(user('kafka.security.protocol=SSL')).toBe('User:CN=...')
  const sasl = ['mechanism=PLAIN', 'username=bob', 'password=x'].map((set) => `kafka.security.sasl.${set}`)
  expect(user('kafka.security.protocol=SASL_PLAINTEXT', ...sasl)).toBe('User:bob')
})

test('topics have as many partitions, each with a leader', () => {
  expect(judgePartitions([topic('a'), topic('b')], 'stop')).toMatchObject({ verdict: 'ok', found: 'a 4, b 4, each with a leader' })
  const unequal = [topic('a'), topic('b', { partitions: 6 })]
  const differ = judgePartitions(unequal, 'stop')
  expect(differ).toMatchObject({ verdict: 'fault', found: expect.stringContaining('a has 4, b has 6') })
  expect(judgePartitions(unequal, 'read').verdict).toBe('warning')
  expect(differ.remedy).toContain('--partitions 6')
  const dark = judgePartitions([topic('a', { leaderless: [1, 3] }), topic('b', { partitions: 6 })], 'read')
  expect(dark).toMatchObject({ verdict: 'fault', found: 'of a nobody leads 1, 3' })
})

test('open windows need what lies between their start and the last correction', () => {
  const config = loadConfig({
    sets: ['window.size=1m', 'time.outOfOrderness=2s', 'time.allowedLateness=3s', 'time.idleTimeout=10s'],
    env: {},
  })
  expect(neededMs(config)).toBe(MINUTE + 15 * SECOND)
})

test.each([
  [undefined, 'ok'],
  [HOUR - 1, 'fault'],
  [HOUR, 'warning'],
  [HOUR + DAY - 1, 'warning'],
  [HOUR + DAY, 'ok'],
])('with an hour needed, a retention of %d ms is %s', (kept, verdict) => {
  const finding = judgeRetention('a', kept, HOUR, BROKER)
  expect(finding.verdict).toBe(verdict)
  if (verdict !== 'ok') expect(finding.remedy).toContain(`--entity-name a --add-config retention.ms=${7 * DAY}`)
})

test('the retention that is proposed is enough for long windows, too', () => {
  const needed = 30 * DAY
  const [, proposed] = /retention\.ms=(\d+)$/.exec(judgeRetention('a', DAY, needed, BROKER).remedy ?? '') ?? []
  expect(judgeRetention('a', Number(proposed), needed, BROKER).verdict).toBe('ok')
})

test('a size that cuts too much is a fault for windows and a warning for an outage', () => {
  const reach = (short: number[], shortOfOutage: number[]) => judgeReach('a', { bytes: 1000, short, shortOfOutage }, HOUR, BROKER)
  expect(reach([], []).verdict).toBe('ok')
  expect(reach([], [2])).toMatchObject({ verdict: 'warning', found: expect.stringContaining('partitions 2 of a') })
  expect(reach([2], [2, 3])).toMatchObject({ verdict: 'fault', remedy: expect.stringContaining('retention.bytes=10000') })
})

test.each([
  ['delete', 'ok'],
  ['compact', 'fault'],
  ['compact,delete', 'fault'],
])('cleanup.policy=%s is %s', (policy, verdict) => {
  expect(judgeCleanup('a', policy, BROKER).verdict).toBe(verdict)
})

test('records ahead of the clock are those of brokers or of producers, who are to be mended', () => {
  expect(judgeRecordTimes('a', 'CreateTime', [], MINUTE, BROKER)).toMatchObject({ verdict: 'ok' })
  expect(judgeRecordTimes('a', 'CreateTime', [1, 2], MINUTE, BROKER)).toMatchObject({
    verdict: 'warning',
    found: expect.stringContaining('partitions 1, 2 of a'),
    remedy: expect.stringContaining('message.timestamp.type=LogAppendTime'),
  })
  expect(judgeRecordTimes('a', 'LogAppendTime', [1], MINUTE, BROKER).remedy).toContain('NTP')
})

test('offsets that a start would go on from, and what it would say of those it can not', () => {
  const at = (committed: number | undefined) => ({ earliest: 10, latest: 110, committed, metadata: undefined, atTimestamp: undefined })
  const judge = (...all: (number | undefined)[]) => judgeOffsets(new Map(all.map((one, i) => [`a/${i}`, at(one)])), 'committed', BROKER)
  expect(judge(undefined, undefined)).toMatchObject({
    verdict: 'ok',
    found: expect.stringContaining('offsets of 0 of 2 partitions; 0 records'),
  })
  expect(judge(10, 100)).toMatchObject({ verdict: 'ok', found: expect.stringContaining('offsets of 2 of 2 partitions; 110 records') })
  expect(judge(9, 100)).toMatchObject({
    verdict: 'warning',
    found: expect.stringMatching(/^a\/0: records 9 to 9 are gone \(retention\)/),
    remedy: expect.stringContaining('--entity-name a '),
  })
  expect(judge(111)).toMatchObject({ verdict: 'warning', found: expect.stringContaining('past the end') })
})

describe('the group', () => {
  const group = (more: Partial<GroupFacts> = {}): GroupFacts => {
    return { errorCode: 0, state: 'Stable', protocolType: 'consumer', protocol: 'ctr-copartition', members: [], operations: READ, ...more }
  }
  const member = { clientId: 'ctr', sign: undefined, vital: 'alive' as const, tasks: [0, 1] }

  test('may be empty, or have members of this engine', () => {
    expect(judgeGroup('g', group({ state: 'Dead', protocolType: '', protocol: '' }), [], acl)).toMatchObject({ verdict: 'ok' })
    expect(judgeGroup('g', group(), [member], acl)).toEqual({ verdict: 'ok', found: 'in the group g: ctr, tasks 0, 1' })
  })

  test('says what it is at, and which members are gone', () => {
    const finding = judgeGroup('g', group({ state: 'PreparingRebalance', protocol: '' }), [member, { ...member, vital: 'dead' }], acl)
    expect(finding).toMatchObject({ verdict: 'ok', found: expect.stringMatching(/PreparingRebalance.*1 of them are gone/) })
  })

  test.each([
    [{ operations: DESCRIBE }, '--operation Read --group g'],
    [{ protocol: 'range' }, 'use another kafka.groupId'],
    [{ protocolType: 'connect' }, 'use another kafka.groupId'],
  ])('of %j is a fault', (more, remedy) => {
    expect(judgeGroup('g', group(more), [member], acl)).toMatchObject({ verdict: 'fault', remedy: expect.stringContaining(remedy) })
  })
})
