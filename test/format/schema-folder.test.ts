import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import avsc from 'avsc'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EVENTS_DEFAULT } from '../../src/config/events-section.ts'
import type { EventFormat } from '../../src/format/event-format.ts'
import { formatsOf, type TopicFormat } from '../../src/format/format.ts'
import { bothParsers } from '../../workshop/both-parsers.ts'

const TIME = 1_790_000_000_123
const EVENT = { product_id: 'p-7', event_type: 'click', timestamp: TIME, shop: 'north' }
const COUNTED = { verdict: 'VALID', product: 'p-7', click: true, time: TIME }
/** Versions of one schema: each has its fields in another order, so that none can be read by another. */
const FIELDS = [
  { name: 'product_id', type: 'string' },
  { name: 'timestamp', type: { type: 'long', logicalType: 'timestamp-millis' } },
  { name: 'event_type', type: 'string' },
]
const VERSIONS = [FIELDS, FIELDS.toReversed(), [{ name: 'shop', type: 'string' }, ...FIELDS]].map((fields) => ({
  type: 'record',
  name: 'Event',
  fields,
}))
const UUIDS = ['b2e3a1c0-0000-4000-8000-00000000002a', 'b2e3a1c0-0000-4000-8000-00000000002b', 'ffffffff-ffff-4fff-bfff-ffffffffffff']
const uuidBytes = (uuid: string) => Buffer.from(uuid.replaceAll('-', ''), 'hex')
const written = (version: number) => avsc.Type.forSchema(VERSIONS[version] as never).toBuffer(EVENT)
const ofGlue = (uuid: string, value: Uint8Array) => Buffer.concat([Uint8Array.of(3, 0), uuidBytes(uuid), value])

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ctr-schemas-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A folder with these files. */
function filled(name: string, files: { readonly [file: string]: string }): string {
  const path = join(folder, name)
  mkdirSync(path)
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text)
  return path
}

const formatOf = (topic: Partial<TopicFormat>) => formatsOf([{ format: 'avro', events: EVENTS_DEFAULT, ...topic }])[0] as EventFormat

test('every record is read by the file that is called as its frame names it', () => {
  const files = Object.fromEntries(UUIDS.slice(0, 2).map((uuid, i) => [`${uuid}.avsc`, JSON.stringify(VERSIONS[i])]))
  const schemaFile = filled('glue', { ...files, '17.avsc': JSON.stringify(VERSIONS[2]), 'README.md': 'not a schema' })
  for (const framing of ['auto', 'glue', undefined] as const) {
    const format = formatOf({ schemaFile, framing })
    for (const i of [0, 1, 0, 1]) {
      expect(bothParsers(format, ofGlue(UUIDS[i] ?? '', written(i)))).toEqual({ exact: COUNTED, fast: COUNTED })
    }
    expect(bothParsers(format, ofGlue(UUIDS[2] ?? '', written(0))).exact.verdict).toBe('SCHEMA_UNKNOWN')
    expect(format.detail).toBe(`glue:${UUIDS[2]}`)
    expect(bothParsers(format, written(0)).exact.verdict).toBe('FRAME')
  }
  const format = formatOf({ schemaFile })
  for (const frame of [
    [0, 0, 0, 0, 17],
    [0, 0, 0, 0, 0, 0, 0, 0, 17],
  ]) {
    expect(bothParsers(format, Buffer.from([...frame, ...written(2)]))).toEqual({ exact: COUNTED, fast: COUNTED })
  }
  expect(bothParsers(format, Buffer.from([0, 0, 0, 0, 18, ...written(2)])).exact.verdict).toBe('SCHEMA_UNKNOWN')
})

test.each([
  ['an empty one', {}, /has no schema in it; call each file as the frames do, such as 17.avsc/],
  ['a file that is called otherwise', { 'clicks.avsc': '{}' }, /clicks.avsc is called by no id and no UUID/],
  ['two files for one schema', { '17.avsc': '{}', '17.proto': '' }, /has two files for 17/],
])('a folder that can not be meant is refused: %s', (name, files, message) => {
  const schemaFile = filled(name, files)
  expect(() => formatOf({ schemaFile })).toThrow(expect.objectContaining({ code: 'CTR_CONFIG', message: expect.stringMatching(message) }))
})

test('without frames nothing says which file of a folder it is', () => {
  const schemaFile = filled('bare', { '1.avsc': JSON.stringify(VERSIONS[0]) })
  expect(() => formatOf({ schemaFile, framing: 'none' })).toThrow(/framing is none, so nothing says which file/)
})
