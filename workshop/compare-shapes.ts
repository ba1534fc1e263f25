/**
 * Sets shapes against the exact parser over events that mostly fit: the same keys, order and spelling, but values of every length and with
 * everything in them that a string or a number may hold or must not. Mutated events (compare-parsers.ts) fit a shape too seldom for that.
 */

import { eventRules } from '../src/format/event-rules.ts'
import { ExactJson } from '../src/format/json-exact.ts'
import { JsonReader } from '../src/format/json-read.ts'
import { learnIgnored, learnRefused, learnShape, type RefusedShape, type Shape } from '../src/format/json-shape.ts'
import { IGNORED, REASON, UNSURE } from '../src/format/reasons.ts'
import { EventSlot } from '../src/format/slot.ts'
import { Random } from '../src/load/random.ts'
import { PLAIN_EVENTS, type PlainEventRules } from '../src/selftest/plain-event.ts'
import { differ, differFromOracle } from './compare-parsers.ts'
import { eventsWith } from './plain-rules.ts'
import { isRefusedByOne, shapeOne } from './shape-one.ts'

/** Rules of events, and forms of events: S: a string, P: a product, U: a user, T: a type, N: a time, A: any value. */
interface Case {
  readonly events: Parameters<typeof eventsWith>[0]
  /** The same to the oracle. */
  readonly plain: Partial<PlainEventRules>
  readonly forms: readonly string[]
}

const CASES: readonly Case[] = [
  {
    events: {},
    plain: {},
    forms: [
      '{"event_id":S,"user_id":U,"product_id":P,"event_type":T,"timestamp":N,"session_id":S}',
      '{"timestamp":N,"user_id":U,"event_type":T,"product_id":P}',
      '{"eventType":T, "productId":P, "userId":U, "a":A, "timestamp":N}',
      ' { "x" : {"y":S,"timestamp":A,"z":{"product_id":S,"q":A}} , "productId":P,"userId":U ,"eventType":T,"timestamp":N } ',
      '{"product_id":P,"timestamp":N,"event_type":T,"user_id":U,"n":A,"m":{"k":S},"o":[1,{"p":S}]}',
      '{"productId":A,"product_id":A,"eventType":T,"timestamp":N}',
    ],
  },
  {
    events: { envelope: 'debezium', user: { required: true }, types: { caseSensitive: true } },
    plain: {
      ...within(['after'], ['payload', 'after']),
      emptyAt: [['after'], ['payload', 'after']],
      userRequired: true,
      caseSensitive: true,
    },
    forms: [
      '{"before":A,"after":{"product_id":P,"user_id":U,"event_type":T,"timestamp":N},"op":S}',
      '{"schema":{"type":S},"payload":{"after":{"event_type":T,"n":A,"product_id":P,"user_id":U,"timestamp":N}}}',
      '{"after":A,"payload":{"after":{"event_type":T,"product_id":P,"user_id":U,"timestamp":N}}}',
    ],
  },
  {
    events: {
      fields: { product: ['a.b.c', 'p'], type: ['t', 'a.t'], time: ['a.n'] },
      types: { other: 'invalid' },
      product: { numbers: false },
    },
    plain: {
      product: [['a', 'b', 'c'], ['p']],
      type: [['t'], ['a', 't']],
      time: [['a', 'n']],
      otherTypes: 'invalid',
      numbers: false,
    },
    forms: [
      '{"a":{"b":{"c":P},"t":T,"n":N},"x":A}',
      '{"t":A,"p":P,"a":{"b":A,"t":T,"n":N}}',
      '{"a":{"b":{"c":A,"p":S},"n":N},"p":P,"t":T}',
    ],
  },
  {
    events: { type: 'click', time: { unit: 's', zone: '+05:30' } },
    plain: { fixedType: 'click', unit: 's', zone: '+05:30' },
    forms: ['{"product_id":P,"timestamp":N}', '{"event_type":T,"timestamp":N,"product_id":P,"a":A}'],
  },
  {
    events: { time: { zone: 'Europe/Berlin', formats: ['%y%m%d%H', '%Y-%m-%dT%H:%M:%S%z', '%d.%m.%Y %T'] } },
    plain: { zone: 'Europe/Berlin', formats: ['%y%m%d%H', '%Y-%m-%dT%H:%M:%S%z', '%d.%m.%Y %T'] },
    forms: ['{"product_id":P,"event_type":T,"timestamp":N}'],
  },
  {
    events: { time: { zone: 'America/New_York' } },
    plain: { zone: 'America/New_York' },
    forms: ['{"event_type":T,"product_id":P,"timestamp":N,"a":S}'],
  },
]
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@ #\x7f[]{},!~'
const ODD: readonly string[] = [
  '\t',
  '"',
  '\\',
  '\\"',
  '\\u00e9',
  '\\n',
  '\\x',
  '\n',
  '\x00',
  '\x1f',
  'é',
  '€',
  '😀',
  '\ud800',
  '\\\\',
  '\\u12',
]
const LENGTHS: readonly number[] = [0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 36, 64, 65, 255, 256, 257]
const TYPES: readonly string[] = ['impression', 'click', 'view', 'IMPRESSION', 'CLICK', 'VIEW', 'clic', 'clicks', 'Click', '', 'impressio"']
const TIMES: readonly string[] = ['1', '0', '999999999999', '1700000000000', '0700000000000', '17000000000000', '-1700000000000', '1.7e12']
const MORE_TIMES: readonly string[] = [
  '"1700000000001"',
  '1700000000000.5',
  '17000000x0000',
  '170000000000/',
  '170000000000.',
  '"2026-01-01 00:00:00"',
  '"2026-01-01T00:00:00.5Z"',
  'null',
  '1700000000',
  '1700000000000000',
  '170000000000000x',
  '1700000000000000000',
  '1700000000.25',
  '0700000000',
  '"2026-01-01T00:00:00+02:00"',
  '"2026-01-01 00:00 UTC"',
  '14102100',
  '20240331023000',
  '"31.03.2024 02:30:00"',
  '"2024-03-31 02:30:00"',
  '"2024-03-31 02:31:00"',
  '"2024-10-27 02:30:00.5"',
  '"2024-11-03 01:30:00"',
  '2024-03-31',
]
const IDS: readonly string[] = [
  '1',
  '12',
  '123456789',
  '0',
  '007',
  '-5',
  '1.5',
  '1e3',
  '9007199254740993',
  'null',
  'true',
  '1234567890123456789',
]
const ANY: readonly string[] = [
  '1',
  '-0.5e3',
  'true',
  'false',
  'null',
  '{}',
  '[]',
  '[1,"a",{"b":[]}]',
  '"s"',
  '01',
  'tru',
  '[1',
  '{"a":}',
  '1 ',
  'NaN',
  '{"product_id":"x"}',
  '{"b":{"c":"y"}}',
  '{"after":{"product_id":"z"}}',
]

export interface ShapeComparison {
  /** Events that a shape accepted, ignored, refused. */
  fits: number
  ignored: number
  refused: number
  /** The first difference found. */
  difference: string | undefined
}

/** Of a form. */
const REFUSING_MAX = 8

/** Compares over `count` events of a seed; stops at the first difference. */
export function compareShapes(count: number, seed: number): ShapeComparison {
  const random = new Random(seed)
  const result: ShapeComparison = { fits: 0, ignored: 0, refused: 0, difference: undefined }
  const forms = CASES.flatMap(({ events, plain, forms: texts }) => {
    const rules = eventRules(eventsWith(events))
    const [reader, exact] = [new JsonReader(rules), new ExactJson(rules)]
    return texts.map((text) => ({
      text,
      rules,
      plain: { ...PLAIN_EVENTS, ...plain },
      reader,
      exact,
      shapes: [] as Shape[],
      refusing: [] as Refusing[],
    }))
  })
  const [fast, slow, rest] = [new EventSlot(), new EventSlot(), new EventSlot()]
  for (let index = 0; index < count && result.difference === undefined; index++) {
    const { text, rules, plain, reader, exact, shapes, refusing } = forms[random.below(forms.length)]!
    const one = event(text, random)
    const value = random.chance(0.04) ? `[${one}]` : one
    const bytes = new Uint8Array(Buffer.from(`xyz${value}"}`, random.chance(0.02) ? 'latin1' : 'utf8'))
    const end = bytes.length - 2
    if (random.chance(0.05)) bytes[3 + random.below(end - 3)] = 0xff
    const verdict = exact.parse(bytes, 3, end, slow)
    const off = differFromOracle(bytes.subarray(3, end), verdict, slow, plain)
    if (off !== undefined) result.difference = `seed ${seed}, event ${index}: ${off}\n${Buffer.from(bytes.subarray(3, end))}`
    const note = (sure: number) => {
      const what = differ(bytes, end, sure, fast, verdict, slow)
      if (what !== undefined) result.difference ??= `seed ${seed}, event ${index}: ${what}\n${Buffer.from(bytes.subarray(3, end))}`
    }
    for (const shape of shapes) {
      const sure = shapeOne(shape, bytes, 3, end, fast)
      if (sure === UNSURE) continue
      if (sure === IGNORED) result.ignored++
      else result.fits++
      note(sure)
    }
    for (const { fits, reason, time } of refusing) {
      if (!isRefusedByOne(fits, bytes, 3, end)) continue
      result.refused++
      fast.time[0] = time
      note(reason)
    }
    const sure = reader.read(bytes, 3, end, fast)
    if (sure !== UNSURE) note(sure)
    // Lengths are learned too, so that a form has several shapes at a time, and others later.
    const isWanted = sure > REASON.VALID ? refusing.length < REFUSING_MAX : shapes.length < 3
    if (sure === UNSURE || !(isWanted || random.chance(0.001))) continue
    const learned = { bytes, start: 3, end, reader, rules }
    if (sure > REASON.VALID) {
      const fits = learnRefused(learned, sure)
      if (fits !== undefined && refusing.unshift({ fits, reason: sure, time: fast.time[0]! }) > REFUSING_MAX) refusing.pop()
    } else {
      const isWhole = sure === REASON.VALID || reader.readRest(bytes, rest) === REASON.VALID
      const shape = isWhole ? learnShape(learned) : learnIgnored(learned)
      if (shape !== undefined && shapes.unshift(shape) > 3) shapes.pop()
    }
  }
  return result
}

interface Refusing {
  readonly fits: RefusedShape
  readonly reason: number
  readonly time: number
}

function within(...prefixes: readonly (readonly string[])[]): Partial<PlainEventRules> {
  const { product, user, type, time } = PLAIN_EVENTS
  const put = (places: readonly (readonly string[])[]) => prefixes.flatMap((prefix) => places.map((place) => [...prefix, ...place]))
  return { product: put(product), user: put(user), type: put(type), time: put(time) }
}

function event(form: string, random: Random): string {
  // One value in an event is odd, if any: an event with many odd ones fits nothing.
  const values = form.match(/(?<=[:,[ ])[SPUTNA](?=[ ,}\]])/g)?.length ?? 0
  const odd = random.chance(0.5) ? random.below(values) : -1
  let number = 0
  return form.replace(/(?<=[:,[ ])[SPUTNA](?=[ ,}\]])/g, (kind) => value(kind, number++ === odd, random))
}

/** Dates of a few minutes in several forms, some of which do not exist. */
function dated(random: Random): string {
  const pick = (texts: readonly string[]) => texts[random.below(texts.length)]!
  const day = pick(['2024-11-28', '2024-02-29', '2023-02-29', '1970-01-01', '2024-11-28'])
  const clock = `${pick(['13:20', '13:21', '00:00', '24:00'])}:${pick(['00', '07', '59', '60', '5x'])}`
  const fraction = pick(['', '', '.5', '.123', '.123456', ',123', '.12x'])
  return `"${day}${pick(['T', ' '])}${clock}${fraction}${pick(['Z', 'Z', '', '+02:00', '+0200', ' UTC', '-09:30', '+25:00'])}"`
}

function value(kind: string, odd: boolean, random: Random): string {
  if (kind === 'T') return `"${TYPES[random.below(odd ? TYPES.length : 2)]}"`
  if (kind === 'A') return ANY[random.below(odd ? ANY.length : 9)]!
  if (kind === 'N') {
    const times = [...TIMES, ...MORE_TIMES]
    if (odd) return times[random.below(times.length)]!
    if (random.chance(0.2)) return dated(random)
    const second = 1_700_000_000 + random.below(100_000_000)
    const digits = (count: number) => String(random.below(10 ** count)).padStart(count, '0')
    return [`${second}`, `${second}${digits(3)}`, `${second}${digits(6)}`, `${second}${digits(6)}000`][random.below(4)]!
  }
  if (kind === 'P' && random.chance(odd ? 0.5 : 0.2))
    return odd ? IDS[random.below(IDS.length)]! : String(1_000_000 + random.below(8_000_000))
  const length = odd ? LENGTHS[random.below(LENGTHS.length)]! : [6, 8, 36, 16][random.below(4)]!
  let text = ''
  while (text.length < length) text += LETTERS[random.below(odd ? LETTERS.length : 64)]!
  if (!odd || random.chance(0.3)) return `"${text}"`
  const at = random.below(text.length + 1)
  return `"${text.slice(0, at)}${ODD[random.below(ODD.length)]}${text.slice(at)}"`
}
