import { expect, test } from 'vitest'
import { eventTemplate } from '../../src/load/event-template.ts'
import { isLoads } from '../../src/load/foreign.ts'

test('every form of event that a load makes is known, and what others make is not', () => {
  const form = { seed: 4_000_000_000, userDigits: 12, productDigits: 4, eventBytes: 300 } as const
  for (const type of ['impression', 'click'] as const)
    for (const userIds of ['number', 'uuid', 'email'] as const)
      for (const camel of [true, false]) {
        const { bytes } = eventTemplate({ ...form, type, camel, userIds })
        // The digits of its time are open, and zeros are no number.
        const event = Buffer.from(bytes).toString().replace(/:0+,/, ':1659304800025,')
        expect(isLoads(Buffer.from(event)), event).toBe(true)
      }
  for (const text of [
    '',
    'null',
    '1',
    '[]',
    '{}',
    '{"event_id":"0000002a-000000000017"}',
    '{"event_id":"e-1","product_id":"p-0001"}',
    '{"event_id":"0000002a-000000000017","product_id":"shoe"}',
  ])
    expect(isLoads(Buffer.from(text)), text).toBe(false)
})
