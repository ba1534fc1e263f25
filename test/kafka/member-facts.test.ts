import kafkajs from 'kafkajs'
import { expect, test } from 'vitest'
import { decodeFacts, encodeSubscription } from '../../src/kafka/member-facts.ts'

const FACTS = { tasks: [0, 3], generation: 17, host: 'ctr-0', pid: 1 }

test('a subscription holds the topics as the consumer protocol has them, and the facts as JSON', () => {
  const bytes = encodeSubscription(['impressions', 'clicks'], FACTS)
  const json = Buffer.from('{"v":1,"tasks":[0,3],"generation":17,"host":"ctr-0","pid":1}')
  const topic = (name: string) => Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name)])
  const topics = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 2]), topic('impressions'), topic('clicks')])
  expect(bytes).toEqual(Buffer.concat([topics, Buffer.from([0, 0, 0, json.length]), json]))
  expect(decodeFacts(bytes)).toEqual(FACTS)
})

test('the same facts are the same bytes, so that a member that joins again disturbs nobody', () => {
  expect(encodeSubscription(['a'], { ...FACTS })).toEqual(encodeSubscription(['a'], { ...FACTS }))
})

test.each([
  ['nothing, as while a group rebalances', Buffer.alloc(0)],
  ['no user data, as of members of earlier versions', subscription('')],
  ['bytes that are no subscription', Buffer.from([0, 1, 0, 0, 255, 255])],
  ['user data of another client', Buffer.concat([subscription('x'), Buffer.from([0])])],
  ['another version', subscription('{"v":2,"tasks":[],"generation":1,"host":"a","pid":1}')],
  ['a task that is no number', subscription('{"v":1,"tasks":["0"],"generation":1,"host":"a","pid":1}')],
  ['a negative task', subscription('{"v":1,"tasks":[-1],"generation":1,"host":"a","pid":1}')],
  ['a pid that means a process group', subscription('{"v":1,"tasks":[],"generation":1,"host":"a","pid":0}')],
  ['a negative pid', subscription('{"v":1,"tasks":[],"generation":1,"host":"a","pid":-1}')],
  ['no host', subscription('{"v":1,"tasks":[],"generation":1,"pid":1}')],
  ['null', subscription('null')],
])('%s says nothing', (_what, bytes) => {
  expect(decodeFacts(bytes)).toBeUndefined()
})

function subscription(userData: string): Buffer {
  return kafkajs.AssignerProtocol.MemberMetadata.encode({ version: 0, topics: ['a'], userData: Buffer.from(userData) })
}
