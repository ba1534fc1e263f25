import { expect, test } from 'vitest'
import { decodeGroup, encodeDescribeGroup } from '../../src/kafka/group-facts.ts'

const text = (value: string) => `${value.length.toString(16).padStart(4, '0')}${Buffer.from(value).toString('hex')}`
const bytes = (value: string) => `${value.length.toString(16).padStart(8, '0')}${Buffer.from(value).toString('hex')}`
const hex = (...parts: string[]) => Buffer.from(parts.join(''), 'hex')

test('one group is asked for, with the rights on it', () => {
  expect(encodeDescribeGroup('ctr').toString('hex')).toBe(hex('00000001', text('ctr'), '01').toString('hex'))
})

test('a group is read with its members and what the user may do', () => {
  const member = (id: string) => [text(id), text(`client-${id}`), text('/127.0.0.1'), bytes('subscribed'), bytes(`deal-${id}`)].join('')
  const head = ['00000007', '00000001', '0000', text('ctr'), text('Stable'), text('consumer'), text('ctr-copartition')]
  expect(decodeGroup(hex(...head, '00000002', member('a'), member('b'), '00000108'))).toEqual({
    errorCode: 0,
    state: 'Stable',
    protocolType: 'consumer',
    protocol: 'ctr-copartition',
    members: ['a', 'b'].map((id) => ({ memberId: id, clientId: `client-${id}`, memberAssignment: Buffer.from(`deal-${id}`) })),
    operations: 0x108,
  })
})

test('a group that may not be seen has an error, and no members', () => {
  const body = hex('00000000', '00000001', '001e', text('ctr'), text(''), text(''), text(''), '00000000', '80000000')
  expect(decodeGroup(body)).toMatchObject({ errorCode: 30, state: '', members: [] })
})
