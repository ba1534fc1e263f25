import { expect, test } from 'vitest'
import { eventRules } from '../../src/format/event-rules.ts'
import { fieldTree } from '../../src/format/field-tree.ts'
import { ProtoTypes } from '../../src/format/proto-schema.ts'
import { protoText } from '../../src/format/proto-text.ts'
import { eventsWith } from '../../workshop/plain-rules.ts'
import { ProtoCases } from '../../workshop/proto-cases.ts'
import { protobufjsType } from '../../workshop/proto-oracle.ts'
import { repetitions } from '../support/effort.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const FILES = repetitions({ unit: 50, all: 100, long: 2000 })
const VALUES = 20

test.each([1, SEED])('a message is told as protobufjs reads it, and none that is damaged throws: seed %i', (seed) => {
  const cases = new ProtoCases(seed)
  const rules = eventRules(eventsWith({}))
  let told = 0
  for (let i = 0; i < FILES; i++) {
    const { text, message } = cases.file(fieldTree(rules.places, rules.emptyAt).root)
    const types = new ProtoTypes({ type: 'protobuf', text, references: [] })
    const name = `shop.v1.${message.name}`
    const type = types.message(`.${name}`)
    const oracle = protobufjsType(text, name)
    for (let j = 0; j < VALUES; j++) {
      const bytes = cases.value(message)
      const damaged = protoText(type, cases.damaged(bytes))
      if (damaged !== undefined) JSON.parse(damaged)
      const own = protoText(type, bytes)
      expect(own, `${text}, value ${Buffer.from(bytes).toString('hex')}`).toBeDefined()
      const theirs = oracle.toObject(oracle.decode(bytes), { longs: String, enums: String, bytes: String, json: true })
      expect(JSON.parse(own ?? ''), `${text}, value ${Buffer.from(bytes).toString('hex')}`).toEqual(JSON.parse(JSON.stringify(theirs)))
      told++
    }
  }
  expect(told).toBe(FILES * VALUES)
})

test('of a message of more values than anybody writes nothing is told, and at once', () => {
  const text = 'syntax = "proto3"; package shop.v1; message Event { string product_id = 1; repeated bool flags = 2; }'
  const type = new ProtoTypes({ type: 'protobuf', text, references: [] }).message('.shop.v1.Event')
  const packed = (count: number) =>
    Buffer.concat([Buffer.from([0x12, 0x80 | (count & 0x7f), 0x80 | ((count >> 7) & 0x7f), count >> 14]), Buffer.alloc(count)])
  expect(JSON.parse(protoText(type, packed(100_000)) ?? '')).toEqual({ flags: Array.from({ length: 100_000 }, () => false) })
  expect(protoText(type, packed(100_001))).toBeUndefined()
})
