import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { Tails, tailSocketFactory } from '../../src/kafka/tail-socket.ts'

/** A frame as kafkajs makes it of a Produce request whose body is `head`. */
function frame(head: Buffer, api = 0): Buffer {
  const start = Buffer.alloc(16)
  start.writeInt16BE(api, 4)
  start.writeInt16BE(7, 6)
  start.writeInt32BE(99, 8)
  start.writeInt16BE(2, 12)
  start.write('me', 14)
  const whole = Buffer.concat([start, head])
  whole.writeInt32BE(whole.length - 4, 0)
  return whole
}

function headOf(text: string): Buffer {
  return Buffer.concat([Buffer.from(text), Buffer.alloc(4)])
}

/** All that goes over the wire, and how often the socket was written to. */
function capture(tails: Tails): { socket: Socket; wire: () => Buffer; writes: () => number; corks: string[] } {
  const written: Buffer[] = []
  const corks: string[] = []
  const fake = {
    write: (data: Uint8Array | string, encoding?: BufferEncoding) => {
      written.push(Buffer.from(typeof data === 'string' ? Buffer.from(data, encoding) : data))
      return true
    },
    cork: () => corks.push('cork'),
    uncork: () => corks.push('uncork'),
  }
  const factory = tailSocketFactory(() => fake as unknown as Socket, tails)
  const socket = factory({ host: 'h', port: 1, ssl: undefined as never, onConnect: () => {} })
  return { socket: socket as Socket, wire: () => Buffer.concat(written), writes: () => written.length, corks }
}

test('a batch follows its head in the same frame, whose lengths count it, and is not copied', () => {
  const tails = new Tails()
  const { socket, wire, writes, corks } = capture(tails)
  const head = headOf('topic and partition')
  const batch = Buffer.from('a record batch')
  tails.add(head, batch)
  socket.write(frame(head), 'binary')
  expect([writes(), corks]).toEqual([2, ['cork', 'uncork']])
  const sent = wire()
  expect(sent.readInt32BE(0)).toBe(sent.length - 4)
  expect(sent.toString('latin1', 16, 16 + head.length - 4)).toBe('topic and partition')
  expect(sent.readInt32BE(16 + head.length - 4)).toBe(batch.length)
  expect(sent.subarray(-batch.length)).toEqual(batch)
})

test('each head gets its own batch, in whatever order they come, and again when it is sent again', () => {
  const tails = new Tails()
  const { socket, wire } = capture(tails)
  const heads = ['one', 'two'].map((name) => {
    const head = headOf(name)
    tails.add(head, Buffer.from(`batch ${name}`))
    return head
  })
  for (const index of [1, 0, 1]) socket.write(frame(heads[index]!))
  expect(
    wire()
      .toString('latin1')
      .match(/batch \w+/g),
  ).toEqual(['batch two', 'batch one', 'batch two'])
})

test('anything else goes out as it is', () => {
  const tails = new Tails()
  const head = headOf('topic')
  const ticket = tails.add(head, Buffer.from('batch'))
  const stranger = headOf('other')
  stranger.writeInt32BE(ticket, stranger.length - 4)
  const others = [frame(head, 1), frame(stranger), Buffer.from('short'), Buffer.alloc(0)]
  const { socket, wire } = capture(tails)
  for (const one of others) socket.write(Buffer.from(one))
  socket.write('text', 'latin1')
  expect(wire()).toEqual(Buffer.concat([...others, Buffer.from('text')]))
  tails.drop(ticket)
  expect(tails.take(frame(head))).toBeUndefined()
})
