/** Which of the fields that were seen is what: pure decisions from their names and from what they hold. */
import { LIMITS } from '../config/limits.ts'
import { EACH, type FieldSeen } from './fields-seen.ts'
import {
  eventIdScore,
  type Meaning,
  meaningOf,
  productNameScore,
  saysClicked,
  timeNameScore,
  typeNameScore,
  userNameScore,
} from './words.ts'

/** Places of one value: the first that is there has it. Empty when none was found. */
export type Found = readonly FieldSeen[]

/** A type is one of few. */
const TYPES_MAX = 60
const PLACES_MAX = 8
/** Of the records that matter, a place has at least this share, alone or with others. */
const COVERS_MIN = 0.02
const BARE_ID_SCORE = 20

/** How the values of a type are told apart. */
export interface SeenTypes {
  /** As they are written, the commonest first. */
  readonly impression: readonly string[]
  readonly click: readonly string[]
  /** All others, with how often they come. */
  readonly other: readonly (readonly [string, number])[]
  /** Impressions, or clicks, are only such of pages, carts and the like. */
  readonly isWeak: boolean
}

/** The field that says impression or click, if there is one. */
export function typeField(fields: readonly FieldSeen[], records: number): FieldSeen | undefined {
  return best(fields, (field) => {
    if (field.kinds.text < field.values / 2 || field.distinct.size > Math.min(TYPES_MAX, Math.max(8, field.values / 3))) return 0
    let hits = 0
    let told = 0
    const kinds = new Set<string>()
    for (const [text, count] of field.distinct) {
      const meaning = text.length > 80 ? undefined : meaningOf(text)
      if (meaning === undefined) continue
      told += count
      hits += count * (meaning.tier === 1 ? 0.3 : 1)
      kinds.add(meaning.kind)
    }
    if (told === 0) return 0
    const named = typeNameScore(field.steps.at(-1) ?? '')
    // Words like these stand in texts of all sorts; both kinds of them do not.
    if (named === 0 && (kinds.size < 2 || told < field.values / 2)) return 0
    return 100 * Math.min(1, hits / records) + named + kinds.size * 10 - depthPenalty(field)
  })
}

/** What its values are: of the surest tier that there is of each kind. */
export function typesOf(field: FieldSeen): SeenTypes {
  const all = [...field.distinct].toSorted(([, a], [, b]) => b - a)
  const meanings = all.map(([text, count]) => ({ text, count, meaning: meaningOf(text) }))
  const tierOf = (kind: Meaning['kind']) => Math.max(0, ...meanings.map(({ meaning }) => (meaning?.kind === kind ? meaning.tier : 0)))
  const of = (kind: Meaning['kind']) => {
    const tier = tierOf(kind)
    return meanings.filter(({ meaning }) => meaning?.kind === kind && meaning.tier === tier).map(({ text }) => text)
  }
  const impression = foldCase(of('impression'))
  const click = foldCase(of('click'))
  const taken = new Set([...impression, ...click].map((text) => text.toLowerCase()))
  const other = all.filter(([text]) => !taken.has(text.toLowerCase()))
  return { impression, click, other, isWeak: tierOf('impression') === 1 || tierOf('click') === 1 }
}

/** Case does not matter to the engine. */
function foldCase(texts: readonly string[]): string[] {
  const seen = new Map<string, string>()
  for (const text of texts) if (!seen.has(text.toLowerCase())) seen.set(text.toLowerCase(), text)
  return [...seen.values()]
}

/** A truth value on an impression that says that it was clicked. */
export function clickFlag(fields: readonly FieldSeen[]): FieldSeen | undefined {
  return best(fields, (field) => {
    const isFlag = [...field.distinct.keys()].every((text) => /^(?:0|1|true|false)$/i.test(text))
    if (!isFlag || !saysClicked(field.steps.at(-1) ?? '')) return 0
    return 50 + (field.distinct.size > 1 ? 10 : 0) - depthPenalty(field)
  })
}

/** What else is known when a field is looked for. */
export interface Around {
  /** The records that can be events, by number. */
  readonly relevant: ReadonlySet<number>
  /** Where the other values are: they stand together. */
  readonly near?: readonly string[] | undefined
  /** The array that all must be in, or none. */
  readonly array?: string | undefined
  /** How many records have it does not matter for which is the first. */
  readonly byName?: boolean
}

/** Where the product is. */
export function productFields(fields: readonly FieldSeen[], around: Around): Found {
  return places(fields, around, (field) => {
    const { kinds, values, distinct } = field
    const tooLong = [...distinct].reduce((sum, [text, count]) => sum + (Buffer.byteLength(text) > LIMITS.productIdMaxBytes ? count : 0), 0)
    const share = (kinds.integer + kinds.text - tooLong) / values
    const named = productNameScore(field.steps) || (isBareId(field) ? BARE_ID_SCORE : 0)
    if (named === 0 || share < 0.5) return 0
    // What never comes twice is the id of the event rather than of a product.
    const unique = values > 50 && distinct.size >= values * 0.98 && named < 60 ? 0.3 : 1
    const constant = values > 30 && distinct.size === 1 ? 0.6 : 1
    return named * share * unique * constant
  })
}

function isBareId({ steps }: FieldSeen): boolean {
  return /^_?id$/i.test(steps.at(-1) ?? '')
}

/** Where the time of the event is. */
export function timeFields(fields: readonly FieldSeen[], around: Around): Found {
  return places(fields, around, (field) => {
    const share = field.times / field.values
    if (share < 0.5) return 0
    // Text that is a date and time is a time, whatever it is called; a number may be anything.
    const named = timeNameScore(field.steps) || (field.kinds.text > field.values / 2 && field.distinct.size > 1 ? 30 : 0)
    return named * share
  })
}

/** Where the user is. */
export function userFields(fields: readonly FieldSeen[], around: Around): Found {
  // The surest name goes first, however often it is empty.
  return places(fields, { ...around, byName: true }, (field) => (field.kinds.boolean > 0 ? 0 : userNameScore(field.steps)))
}

/** Where the event's own id is; only to say so. */
export function idFields(fields: readonly FieldSeen[], around: Around): Found {
  const scored = (field: FieldSeen) => eventIdScore(field.steps) || (isBareId(field) && field.steps.length === 1 ? BARE_ID_SCORE : 0)
  return places(fields, around, (field) => (field.distinct.size < field.values * 0.9 ? 0 : scored(field)))
}

/** The best place, and others of records that it is not in. */
function places(fields: readonly FieldSeen[], { relevant, near, array, byName }: Around, scoreOf: (field: FieldSeen) => number): Found {
  const scored = fields
    .filter((field) => array === undefined || arrayOf(field) === undefined || arrayOf(field) === array)
    .map((field) => ({ field, score: scoreOf(field) * nearness(field, near) - depthPenalty(field) }))
    .filter(({ field, score }) => score > 0 && coverage(field, relevant) >= COVERS_MIN)
    .map((one) => ({ ...one, rank: byName ? one.score : one.score * coverage(one.field, relevant) }))
    .toSorted((a, b) => b.rank - a.rank)
  const [first] = scored
  if (first === undefined) return []
  const chosen = [first.field]
  const left = new Set([...relevant].filter((record) => !first.field.records.has(record)))
  // Others must be of the same array, or a record would be of two sizes.
  for (const { field, score } of scored.slice(1)) {
    if (left.size === 0 || chosen.length === PLACES_MAX) break
    const gain = [...field.records].filter((record) => left.has(record))
    if (score < first.score * 0.4 || arrayOf(field) !== arrayOf(first.field) || gain.length < Math.max(1, left.size * 0.1)) continue
    chosen.push(field)
    for (const record of gain) left.delete(record)
  }
  return chosen
}

function nearness({ steps }: FieldSeen, near: readonly string[] | undefined): number {
  if (near === undefined || near.length < 2) return 1
  return steps.slice(0, -1).join('.') === near.slice(0, -1).join('.') ? 1.15 : 1
}

/** The array that a path goes through. */
export function arrayOf({ steps }: Pick<FieldSeen, 'steps'>): string | undefined {
  const at = steps.findIndex((step) => step.endsWith(EACH))
  return at < 0 ? undefined : steps.slice(0, at + 1).join('.')
}

function coverage({ records }: FieldSeen, relevant: ReadonlySet<number>): number {
  let found = 0
  for (const record of relevant) if (records.has(record)) found++
  return relevant.size === 0 ? 0 : found / relevant.size
}

function depthPenalty(field: FieldSeen): number {
  return field.steps.length * 1.5 + (arrayOf(field) === undefined ? 0 : 4)
}

function best(fields: readonly FieldSeen[], scoreOf: (field: FieldSeen) => number): FieldSeen | undefined {
  let found: FieldSeen | undefined
  let high = 0
  for (const field of fields) {
    const score = scoreOf(field)
    if (score > high) {
      high = score
      found = field
    }
  }
  return found
}
