/** The doctor at a real broker: one whose ACLs let a user do little, and one in whose group an engine's source runs. */
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { HOUR, SECOND } from '../../src/config/units.ts'
import { diagnose } from '../../src/doctor/doctor.ts'
import type { CheckOutcome } from '../../src/doctor/examine.ts'
import { kafkaSource } from '../../src/kafka/kafka-source.ts'
import { createLogger } from '../../src/log.ts'
import { freePorts } from '../../workshop/free-ports.ts'
import { type Broker, SASL_USERS, startBroker } from '../../workshop/kafka-broker.ts'
import { createTopics, fresh, plainClient, produce, sourceOptions, Taker, until, withSource } from '../../workshop/kafka-harness.ts'

const { username, password } = SASL_USERS.scram
const log = createLogger({ level: 'silent', pretty: false })
let broker: Broker
/** What a listener of the broker says of itself, and where nobody listens. */
let nowhere: number
let admin: kafkajs.Admin

beforeAll(async () => {
  const authorizer = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'
  ;[nowhere = 0] = await freePorts(1)
  broker = await startBroker({
    sasl: true,
    proxyPort: nowhere,
    properties: { 'authorizer.class.name': authorizer, 'super.users': 'User:ANONYMOUS' },
  })
  admin = plainClient(broker.brokers).admin()
  await admin.connect()
})
afterAll(async () => {
  await admin?.disconnect()
  await broker?.stop()
})

type Findings = Readonly<Record<string, CheckOutcome>>

async function look(topics: readonly string[], groupId: string, ...sets: string[]): Promise<Findings> {
  const names = [`kafka.topics=${topics.join(',')}`, `kafka.groupId=${groupId}`, ...sets]
  const at = sets.some((set) => set.startsWith('kafka.brokers=')) ? [] : [`kafka.brokers=${broker.brokers.join(',')}`]
  const { outcomes } = await diagnose(loadConfig({ sets: [...at, ...names], env: {} }), { timeoutMs: 10 * SECOND, parts: ['kafka'], log })
  return Object.fromEntries(outcomes.map((outcome) => [outcome.name, outcome]))
}

/** As the user that ACLs are for. */
function asBob(secret = password, ca: string | undefined = broker.caPem): string[] {
  const security = {
    protocol: 'SASL_SSL',
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.username': username,
    'sasl.password': secret,
    'ssl.ca': ca,
  }
  const given = Object.entries(security).flatMap(([key, value]) => (value === undefined ? [] : [`kafka.security.${key}=${value}`]))
  return [`kafka.brokers=${broker.saslBrokers.join(',')}`, ...given]
}

async function allow(resourceType: kafkajs.AclResourceTypes, resourceName: string, ...operations: kafkajs.AclOperationTypes[]) {
  const to = { principal: `User:${username}`, host: '*', permissionType: kafkajs.AclPermissionTypes.ALLOW }
  const on = { resourceType, resourceName, resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL }
  await admin.createAcls({ acl: operations.map((operation) => ({ ...on, ...to, operation })) })
}

/** What ends a source of that user. */
async function refusal(topic: string, groupId: string): Promise<unknown> {
  const { security } = loadConfig({ sets: asBob(), env: {} }).kafka
  const source = kafkaSource(sourceOptions(broker.saslBrokers, [topic], { groupId, security }))
  const taker = new Taker()
  try {
    await source.start(taker)
    await until('the source fails', () => taker.failures.length > 0)
    return taker.failures[0]
  } catch (error) {
    return error
  } finally {
    await source.close()
  }
}

const verdicts = (findings: Findings) => Object.fromEntries(Object.values(findings).map(({ name, verdict }) => [name, verdict]))

test('a cluster that no engine has used yet: all is well but the topics, and nothing is made', async () => {
  const findings = await look(['impressions', 'clicks'], 'ctr')
  expect(findings.topics).toMatchObject({
    verdict: 'fault',
    code: 'CTR_KAFKA_TOPIC_MISSING',
    found: expect.stringContaining('impressions, clicks'),
  })
  expect(findings.group?.found).toContain('nor was there ever a group')
  expect(findings['dead letters']?.found).toContain('the first record makes it')
  expect(findings.clock).toMatchObject({ verdict: 'ok', found: expect.stringContaining('DescribeQuorum') })
  expect(await admin.listTopics()).toEqual([])
})

test('a broker that can be reached, but not where it says it is, is a fault that names its address', async () => {
  const findings = await look(['a'], 'ctr', `kafka.brokers=127.0.0.1:${broker.behindProxy}`)
  expect(findings[`broker 127.0.0.1:${broker.behindProxy}`]?.verdict).toBe('ok')
  expect(findings.cluster).toMatchObject({
    verdict: 'fault',
    found: expect.stringContaining(`broker 1 calls itself 127.0.0.1:${nowhere}`),
    remedy: expect.stringContaining('advertised.listeners'),
  })
})

describe('topics', () => {
  test('as they should be, and one whose name is nearly right', async () => {
    const [impressions, clicks] = [fresh('impressions'), fresh('clicks')]
    await createTopics(broker.brokers, [impressions, clicks], 3)
    await produce(broker.brokers, clicks, 0, ['x'])
    const sound = await look([impressions, clicks], fresh('group'))
    expect(verdicts(sound)).toEqual(Object.fromEntries(Object.keys(sound).map((name) => [name, 'ok'])))
    const findings = await look([impressions.slice(0, -1), clicks], fresh('group'))
    expect(findings.topics?.found).toContain(`, but ${impressions}`)
    expect(findings.partitions?.found).toContain(`${clicks} 3`)
  })

  test('that keep too little, are compacted, differ, or are dated ahead', async () => {
    const [one, two] = [fresh('one'), fresh('two')]
    await createTopics(broker.brokers, [one], 2, { 'retention.ms': '20000' })
    await createTopics(broker.brokers, [two], 3, { 'cleanup.policy': 'compact,delete' })
    const producer = plainClient(broker.brokers).producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
    const ahead = { key: 'k', value: 'v', partition: 1, timestamp: String(Date.now() + 2 * HOUR) }
    await producer.send({ topic: two, messages: [ahead] })
    await producer.disconnect()
    const findings = await look([one, two], fresh('group'))
    expect(findings.partitions).toMatchObject({ verdict: 'fault', found: expect.stringContaining(`${one} has 2, ${two} has 3`) })
    expect(findings.retention).toMatchObject({ verdict: 'fault', found: expect.stringContaining(`${one} keeps its records for 20.0 s`) })
    expect(findings.retention?.remedy).toContain(`--entity-name ${one} --add-config retention.ms=`)
    expect(findings.compaction).toMatchObject({ verdict: 'fault', found: expect.stringContaining(`${two} is compacted`) })
    expect(findings['record times']).toMatchObject({ verdict: 'warning', found: expect.stringContaining(`partition 1 of ${two}`) })
  })

  test('whose log is cut by its size to less than an outage needs', async () => {
    const topic = fresh('cut')
    await createTopics(broker.brokers, [topic], 1, { 'retention.bytes': '1000' })
    await produce(broker.brokers, topic, 0, ['a', 'b', 'c'])
    expect((await look([topic], fresh('group'))).retention?.verdict).toBe('ok')
    await admin.fetchTopicOffsets(topic) // kafkajs needs to know the topic's leaders
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
    const { retention } = await look([topic], fresh('group'))
    expect(retention).toMatchObject({
      verdict: 'fault',
      found: expect.stringContaining(`retention.bytes 1000 cuts partitions 0 of ${topic}`),
    })
  })
})

describe('a login', () => {
  test('with the wrong password, without the authority, and in plain text are told apart', async () => {
    const [address = ''] = broker.saslBrokers
    const [password, authority, plain] = await Promise.all([
      look(['a'], 'g', ...asBob('wrong')),
      look(['a'], 'g', ...asBob(undefined, '').filter((set) => !set.includes('ssl.ca='))),
      look(['a'], 'g', `kafka.brokers=${address}`),
    ])
    expect(password[`broker ${address}`]).toMatchObject({
      code: 'CTR_KAFKA_AUTH',
      remedy: expect.stringContaining('username and password'),
    })
    expect(authority[`broker ${address}`]).toMatchObject({
      code: 'CTR_KAFKA_AUTH',
      remedy: expect.stringContaining('kafka.security.ssl.ca'),
    })
    expect(plain[`broker ${address}`]).toMatchObject({
      code: 'CTR_KAFKA_UNREACHABLE',
      found: expect.stringContaining('not a Kafka listener'),
    })
  })

  test('of a user without rights: each that is missing is named with its command, until all are granted', async () => {
    const { TOPIC, GROUP, CLUSTER } = kafkajs.AclResourceTypes
    const { READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS } = kafkajs.AclOperationTypes
    const [topic, letters, group, readable] = [fresh('topic'), fresh('letters'), fresh('group'), fresh('readable')]
    await createTopics(broker.brokers, [topic, letters, readable], 2)
    const see = () => look([topic], group, `deadLetter.topic=${letters}`, ...asBob())
    const none = await see()
    expect(none.topics).toMatchObject({ verdict: 'fault', code: 'CTR_KAFKA_AUTH', remedy: expect.stringContaining(`--topic ${topic}`) })
    expect(none.group).toMatchObject({ verdict: 'fault', code: 'CTR_KAFKA_AUTH', remedy: expect.stringContaining(`--group ${group}`) })
    expect(none['dead letters']).toMatchObject({ verdict: 'fault', remedy: expect.stringContaining(`--operation Write`) })
    expect(none.clock).toMatchObject({ verdict: 'skipped', found: expect.stringContaining('DESCRIBE on the cluster') })
    await allow(TOPIC, readable, READ)
    const [grantRead = ''] = none.group?.remedy?.split('\n') ?? []
    expect(await refusal(readable, group)).toMatchObject({ code: 'CTR_KAFKA_AUTH', message: `${none.group?.found}; ${grantRead}` })
    await allow(TOPIC, topic, DESCRIBE)
    await allow(TOPIC, letters, DESCRIBE)
    await allow(GROUP, group, DESCRIBE)
    const some = await see()
    expect(some.topics?.verdict).toBe('ok')
    expect(some['rights on topics']).toMatchObject({
      verdict: 'fault',
      remedy: expect.stringMatching(`--operation Read --topic ${topic}$`),
    })
    expect(some.retention).toMatchObject({ verdict: 'warning', remedy: expect.stringContaining('--operation DescribeConfigs') })
    expect(some.compaction?.verdict).toBe('skipped')
    expect(some.group).toMatchObject({ verdict: 'fault', remedy: expect.stringContaining(`--operation Read --group ${group}`) })
    expect(some['dead letters']).toMatchObject({ verdict: 'fault', remedy: expect.stringMatching(`--operation Write --topic ${letters}$`) })
    await allow(TOPIC, topic, READ, DESCRIBE_CONFIGS)
    await allow(TOPIC, letters, WRITE)
    await allow(GROUP, group, READ)
    await allow(CLUSTER, 'kafka-cluster', DESCRIBE)
    const all = await see()
    expect(verdicts(all)).toEqual(Object.fromEntries(Object.keys(all).map((name) => [name, 'ok'])))
  })
})

test('a member of the group is shown, and goes on as if nothing had been', async () => {
  const [topic, groupId] = [fresh('topic'), fresh('group')]
  await createTopics(broker.brokers, [topic], 2)
  const before = await admin.listTopics()
  await withSource(sourceOptions(broker.brokers, [topic], { groupId, clientId: 'pod-7' }), async (taker, source) => {
    await until('both partitions', () => taker.assignments.length === 2)
    const { group } = await look([topic], groupId)
    expect(group).toMatchObject({ verdict: 'ok', found: expect.stringMatching(/pod-7 \(pid \d+ of .*tasks 0, 1$/) })
    await produce(broker.brokers, topic, 0, ['x'])
    await until('a record', () => taker.count === 1)
    expect(await source.commit([{ topicIndex: 0, partition: 0, offset: 1, maxEventTime: undefined }])).toBe(true)
    expect((await look([topic], groupId)).offsets?.found).toContain('offsets of 1 of 2 partitions; 0 records')
    await admin.fetchTopicOffsets(topic) // kafkajs needs to know the topic's leaders
    await produce(broker.brokers, topic, 0, ['x', 'x'])
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] })
    expect((await look([topic], groupId)).offsets).toMatchObject({
      verdict: 'warning',
      found: expect.stringContaining('records 1 to 2 are gone'),
    })
    expect(taker.assignments).toHaveLength(2)
    expect(taker.failures).toEqual([])
  })
  expect((await admin.listTopics()).filter((name) => name !== '__consumer_offsets')).toEqual(
    before.filter((name) => name !== '__consumer_offsets'),
  )
  const { groups } = await admin.listGroups()
  expect(groups.map((group) => group.groupId)).toEqual([groupId])
})
