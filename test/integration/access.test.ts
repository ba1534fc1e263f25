/** Rights at the brokers that are missing, and rights that are taken away for a while from a pipeline that has read already. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import kafkajs, { type Admin } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { type ConfigTree, type EngineProcess, into, merged, startEngine, workFolder } from '../../workshop/engine-process.ts'
import { type Broker, SASL_USERS, startBroker } from '../../workshop/kafka-broker.ts'
import { fresh, plainClient } from '../../workshop/kafka-harness.ts'
import { feed, freshTopics, from, record, type Topics } from '../support/feed.ts'
import { sharedClickHouse } from '../support/shared-clickhouse.ts'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
const AUTHORIZER = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'
const TIME = 1_700_000_000_000

let broker: Broker
let admin: Admin
const clickhouse = await sharedClickHouse()

beforeAll(async () => {
  const rights = { 'authorizer.class.name': AUTHORIZER, 'super.users': 'User:ANONYMOUS' }
  broker = await startBroker({ sasl: true, properties: { ...rights, 'sasl.enabled.mechanisms': 'PLAIN' } })
  admin = plainClient(broker.brokers).admin()
  await admin.connect()
}, 60_000)
afterAll(async () => {
  await admin.disconnect()
  await broker.stop()
})

function right(kind: 'TOPIC' | 'GROUP', resourceName: string, operation: 'READ' | 'DESCRIBE' | 'WRITE' | 'CREATE') {
  return {
    resourceType: AclResourceTypes[kind],
    resourceName,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: `User:${SASL_USERS.plain.username}`,
    host: '*',
    operation: AclOperationTypes[operation],
    permissionType: AclPermissionTypes.ALLOW,
  }
}

const take = (one: ReturnType<typeof right>) => admin.deleteAcls({ filters: [one] })
const grant = (...some: ReturnType<typeof right>[]) => admin.createAcls({ acl: some })

/** An engine that comes with user and password, and with this in place of the usual. */
function engineOn(topics: Topics, more: ConfigTree = {}): EngineProcess {
  const folder = workFolder()
  writeFileSync(join(folder, 'ca.pem'), broker.caPem)
  const security = { protocol: 'SASL_SSL', ssl: { ca: 'ca.pem' }, sasl: { mechanism: 'PLAIN', ...SASL_USERS.plain } }
  const kafka = { brokers: broker.saslBrokers, security }
  const letters = { deadLetter: { topic: undefined, file: 'letters.jsonl' } }
  return startEngine(['run'], { config: merged(from([], topics), into(clickhouse, fresh('tenant')), { kafka }, letters, more), folder })
}

test('a start without rights to read ends with 2 and says what to grant', async () => {
  const topics = await freshTopics(broker.brokers, 1)
  await grant(
    ...[topics.impressions, topics.clicks].map((topic) => right('TOPIC', topic, 'DESCRIBE')),
    right('GROUP', topics.group, 'READ'),
  )
  const engine = engineOn(topics)
  expect(await engine.exit()).toBe(2)
  expect(engine.complaints.join()).toContain('access denied (TOPIC_AUTHORIZATION_FAILED); grant the user READ on kafka.topics')
})

test('a mechanism that the listener has not enabled ends the run with 2 and its key', async () => {
  const { scram } = SASL_USERS
  const more = { kafka: { security: { sasl: { mechanism: 'SCRAM-SHA-512', ...scram } } } }
  const engine = engineOn(await freshTopics(broker.brokers, 1), more)
  expect(await engine.exit()).toBe(2)
  expect(engine.complaints.join()).toMatch(/^ctr: CTR_KAFKA_AUTH: kafka\.brokers .*; set kafka\.security\.sasl\.mechanism to one/)
})

test('dead letters whose topic may not be made or written are told with their key and what to grant, and go once it is', async () => {
  const topics = await freshTopics(broker.brokers, 1)
  await grant(right('TOPIC', topics.impressions, 'READ'), right('TOPIC', topics.clicks, 'READ'), right('GROUP', topics.group, 'READ'))
  const engine = engineOn(topics, { deadLetter: { topic: topics.dead, file: undefined } })
  await feed(broker.brokers, topics, [[{ ...record(topics.clicks, 'p', 'click', TIME), value: Buffer.from('no event') }]])
  const { msg } = await engine.logged('dead letters not delivered')
  expect(msg).toContain(`deadLetter.topic ${topics.dead}: access denied; grant the user WRITE on it, and CREATE`)
  await grant(right('TOPIC', topics.dead, 'WRITE'), right('TOPIC', topics.dead, 'CREATE'))
  const written = async () =>
    (await admin.listTopics()).includes(topics.dead) && (await admin.fetchTopicOffsets(topics.dead))[0]?.high === '1'
  await engine.until('the letter is in its topic', written)
})

test.each(['TOPIC', 'GROUP'] as const)(
  'READ of a %s that is taken away: not ready with the reason, then on by itself',
  async (kind) => {
    const topics = await freshTopics(broker.brokers, 1)
    const rights = [right('TOPIC', topics.impressions, 'READ'), right('TOPIC', topics.clicks, 'READ'), right('GROUP', topics.group, 'READ')]
    await grant(...rights)
    const engine = engineOn(topics)
    const click = (product: string) => feed(broker.brokers, topics, [[record(topics.clicks, product, 'click', TIME)]])
    await click('before')
    await engine.until('it counts', async () => (await engine.metric('ctr_clicks_total')) === 1)

    const taken = rights[kind === 'TOPIC' ? 1 : 2]!
    await take(taken)
    const reason = `access denied (${kind}_AUTHORIZATION_FAILED)`
    await engine.until('not ready, and why', async () => (await engine.readiness()).reasons.join().includes(reason))
    await click('meanwhile')
    // It does not look well again between two tries.
    for (let look = 0; look < 10; look++) {
      expect((await engine.readiness()).status).toBe(503)
      await sleep(200)
    }
    await grant(taken)
    await engine.until('it counts again', async () => (await engine.metric('ctr_clicks_total')) === 2)
    await engine.ready()
    // Told once, however often it was tried, and once that it is over.
    const told = engine.logs.map(({ msg }) => msg).filter((msg) => msg.includes(reason))
    expect(told).toEqual([expect.stringMatching(/; joining again$/)])
    expect(engine.logs.filter(({ msg }) => msg === 'access is granted again')).toHaveLength(1)
    expect([await engine.metric('ctr_restarts_total'), await engine.terminate(), engine.complaints]).toEqual([0, 0, []])
  },
  60_000,
)
