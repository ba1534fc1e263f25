/** Records that are alike are read by their shape, to the events that the exact reader reads. */
import { expect, test } from 'vitest'
import { Random } from '../../src/load/random.ts'
import { type Mapping, recordReaders } from '../../workshop/compare-records.ts'
import { repetitions } from '../support/effort.ts'

const SEED = Number(process.env.CTR_TEST_SEED ?? Date.now() % 1_000_000_007)
const RECORDS = repetitions({ unit: 1_500, all: 4_000, long: 20_000 })
const list = { fields: { product: 'items[].id', type: 'type', time: 'at' }, maxPerRecord: 30 }
const flags = { ...list, click: { field: 'items[].clicked' } }

/** P: a product, T: a type, N: a time, F: a flag, A: any value; between brackets an element, which comes several times. */
const FORMS: readonly (readonly [string, Mapping['events']])[] = [
  ['{"type":T,"at":N,"items":[{"id":P,"index":A}]}', list],
  ['{"items":[{"pos":A,"id":P}],"more":{"a":A},"at":N,"type":T}', list],
  ['{"items":[{"id":P,"clicked":F}],"at":N,"type":T}', flags],
  ['{"at":N,"items":[{"clicked":F,"x":{"q":[1]},"id":P}],"type":T}', flags],
  ['{"items":[{"id":P,"type":T,"at":N}],"x":A}', { ...list, fields: { product: 'items[].id', type: 'items[].type', time: 'items[].at' } }],
  ['{ "at" : N , "ids" : [{"id" : P}] }', { fields: { product: 'ids[].id', time: 'at' }, type: 'click' }],
  ['{"id":P,"at":N,"clicked":F,"a":A}', { fields: { product: 'id', time: 'at' }, type: 'impression', click: { field: 'clicked' } }],
  ['{"clicked":F,"type":T,"x":{"id":P},"at":N}', { fields: { product: 'x.id', type: 'type', time: 'at' }, click: { field: 'clicked' } }],
]

test.each(FORMS)(`%s, seed ${SEED}`, (form, events) => {
  const random = new Random(SEED)
  const readers = recordReaders({ events, plain: {} })
  // Values of an event are of one kind, and now and then of another.
  const numbers = random.chance(0.5)
  const seen = { shaped: 0, clicked: 0, ignored: 0, one: 0, most: 0 }
  for (let i = 0; i < RECORDS; i++) {
    const value = Buffer.from(recordOf(form, random, numbers))
    const exact = readers.exact(value)
    expect([value.toString(), readers.shaped(value)]).toEqual([value.toString(), exact])
    const shaped = readers.byShape(value)
    if (shaped === undefined) continue
    expect([value.toString(), shaped]).toEqual([value.toString(), exact])
    seen.shaped++
    if (exact === 'IGNORED') seen.ignored++
    else if (exact!.length === 1) seen.one++
    else seen.most = Math.max(seen.most, exact!.length)
    if (typeof exact === 'object' && exact.some((one) => one.length === 2)) seen.clicked++
  }
  expect(seen.shaped).toBeGreaterThan(RECORDS * 0.4)
  expect(seen.one).toBeGreaterThan(0)
  const isInner = form.includes('"type":T,"at":N}]')
  if (form.includes('[{') && !isInner) expect(seen.most).toBeGreaterThan(20)
  if (form.includes('F')) expect(seen.clicked).toBeGreaterThan(RECORDS / 20)
  if (form.includes('"type":T') && !isInner) expect(seen.ignored).toBeGreaterThan(RECORDS / 50)
})

function recordOf(form: string, random: Random, numbers: boolean): string {
  const one = random.chance(0.97)
  const pick = (values: readonly string[]) => values[random.below(values.length)]!
  const fill = (text: string) =>
    text.replaceAll(/\b[PTNFA]\b/g, (letter) => {
      if (random.chance(0.002)) return pick(['null', '""', '01', '1.', 'tru', '{', '"a\tb"', '-1', '"\\u0061"'])
      if (letter === 'P')
        return (numbers ? one : !one)
          ? String(random.below(10 ** random.below(16)))
          : `"${'p'.repeat(random.below(20))}${random.below(1000)}"`
      if (letter === 'T') return pick(['"view"', '"view"', '"view"', '"click"', '"Impression"', '"cart"'])
      if (letter === 'N') return String(1_700_000_000_000 + random.below(1_000_000_000))
      if (letter === 'F') return pick(['0', '0', '1', 'true', 'false'])
      return pick(['1', '23', '-0.5'])
    })
  const count = random.chance(0.05) ? 25 + random.below(8) : random.below(6)
  return fill(
    form.replace(
      /\[(\{.*\})\]/,
      (_, element: string) => `[${Array.from({ length: count }, () => element).join(random.chance(0.2) ? ', ' : ',')}]`,
    ),
  )
}
