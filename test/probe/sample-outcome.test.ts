/** What a sample comes to when its records are several events. */
import { expect, test } from 'vitest'
import { configSchema } from '../../src/config/schema.ts'
import { RecordJudge } from '../../src/probe/judge.ts'
import { describeOutcome, outcomeOf, sampleFaults } from '../../src/probe/sample-outcome.ts'

const TIME = Date.UTC(2026, 0, 2)
const config = configSchema.parse({
  events: { fields: { product: 'items[].id' }, type: 'click' },
  kafka: { topics: [{ name: 'lists' }] },
})

/** Records of these elements each: true is an event, false is none. */
function outcome(...lists: readonly (readonly boolean[])[]) {
  const records = lists.map((list, offset) => {
    const items = list.map((good) => ({ id: good ? `p${offset}` : {} }))
    const value = Buffer.from(JSON.stringify({ timestamp: TIME, items }))
    return { topic: 'lists', partition: 0, offset, timestamp: TIME, key: null, headers: [], value }
  })
  const sample = { topic: 'lists', partitions: 1, available: records.length, records }
  return outcomeOf(sample, new RecordJudge(config), config.events)
}

test('records of which each has a bad element among good ones are counted, and their bad events are told', () => {
  const found = outcome([true, false, true], [true, true, false], [true])
  expect(found).toMatchObject({ counted: 3, partly: 2, clicks: 5, events: 7, invalidEvents: 2 })
  expect(sampleFaults(found, 2 / 7)).toEqual([])
  expect(sampleFaults(found, 0.28)).toEqual(['2 of 7 events of lists are invalid (28.57 %), more than --max-invalid 28.00 %'])
  const lines = describeOutcome(found, config.events, 'json')
  expect(lines[1]).toMatch(/counted or late +100\.00 % +3 {2}0 impressions, 5 clicks; 2 of these records have invalid events, too;/)
  expect(lines.join('\n')).toMatch(/PRODUCT +66\.67 % +2/)
})

test('where no element is an event nothing is counted', () => {
  const found = outcome([false, false], [false])
  expect(found).toMatchObject({ counted: 0, partly: 0, events: 3, invalidEvents: 3 })
  expect(sampleFaults(found, 1)).toEqual([expect.stringContaining('nothing of lists is counted')])
})

test('records of one event each are told as records', () => {
  expect(sampleFaults(outcome([true], [false]), 0.4)).toEqual([expect.stringContaining('1 of 2 records of lists are invalid')])
})
