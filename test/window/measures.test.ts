import { describe, expect, test } from 'vitest'
import * as measures from '../../src/window/measures.ts'

const { CLICKS, codeOfId, idOfCode } = measures
/** Ids are below this: a code is a word, and its sign is not used. */
const IDS_END = 2 ** 30

describe('a code', () => {
  test.each([0, 1, 2, 511, 512, 513, IDS_END - 1])('of the id %i says id and measure, whichever it is', (id) => {
    const codes = [codeOfId(id), codeOfId(id) | CLICKS]
    expect(codes).toEqual([id * 2, id * 2 + 1])
    expect(codes.map(idOfCode)).toEqual([id, id])
    expect(codes.map((code) => code & CLICKS)).toEqual([0, CLICKS])
    expect(Int32Array.from(codes)).toEqual(Int32Array.of(id * 2, id * 2 + 1))
  })

  test('counts its own place among the counts, and its cell has one total', () => {
    const places = [0, 1, 2, 3].flatMap((id) => [codeOfId(id), codeOfId(id) | CLICKS])
    expect(places).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(places.map(measures.totalAt)).toEqual([0, 0, 1, 1, 2, 2, 3, 3])
  })
})

test.each([
  [[0, 0], 0, false],
  [[1, 0], 1, true],
  [[0, 1], 1, true],
  [[2 ** 40 - 2, 1], 2 ** 40 - 1, true],
] as const)('a cell with the counts %j holds %i events; counted: %s', ([impressions, clicks], events, counted) => {
  expect(measures.eventsOf(impressions, clicks)).toBe(events)
  expect(measures.isCounted(Float64Array.of(9, 9, impressions, clicks), 2)).toBe(counted)
})

test('a cell goes through a ring as it was, at any place of 8 bytes, and touches nothing beside it', () => {
  const { CELL_WORDS } = measures
  for (const at of [0, 2, CELL_WORDS, 3 * CELL_WORDS]) {
    const words = new Int32Array(5 * CELL_WORDS).fill(-1)
    const doubles = new Float64Array(words.buffer)
    measures.writeCell(words, doubles, at, 7, 2 ** 53 - 1, 2 ** 33)
    expect([words[at], measures.impressionsAt(doubles, at), measures.clicksAt(doubles, at)]).toEqual([7, 2 ** 53 - 1, 2 ** 33])
    expect([...words.subarray(0, at), ...words.subarray(at + CELL_WORDS)].every((word) => word === -1)).toBe(true)
  }
})
