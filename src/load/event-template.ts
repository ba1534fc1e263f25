/**
 * The bytes of an event with the digits left open, in every form that events are made in.
 *
 *   {"event_id":"0000002a-000000000017","user_id":"u-000042","product_id":"p-0007","event_type":"impression",
 *    "timestamp":1659304800025,"session_id":"s-000042"}
 *
 * The other spelling has eventId, userId and so on. Padding is one unknown key more at the end. Envelopes put the same values where the
 * producers of that kind have them, and fields can be anywhere (event-shape.ts).
 */
import { type EventShape, type FieldName, type JsonTree, PLAIN_SHAPE, shapeTree } from './event-shape.ts'

/** How the keys of events are spelt; mixed is one or the other by event. */
export type KeySpelling = 'snake' | 'camel' | 'mixed'

/** What user ids look like: u-000042, 00000000-0000-4000-8000-000000000042, or user000042@mail.example. */
export type UserIdShape = 'number' | 'uuid' | 'email'

/** Digits of an event's number and time: the leading ones change rarely and are kept in the template. */
export const SEQUENCE_HIGH_DIGITS = 8
export const TIME_HIGH_DIGITS = 9
export const LOW_DIGITS = 4
/** Of a time in seconds, behind the leading ones. */
export const SECONDS_LOW_DIGITS = 1
/** Of a time that is a date: up to the tens of its seconds. */
export const DATE_HIGH_LENGTH = '2024-11-28T13:20:0'.length

export interface TemplateForm {
  /** Of the events, for their ids. */
  readonly seed: number
  readonly type: 'impression' | 'click'
  readonly camel: boolean
  readonly userIds: UserIdShape
  readonly userDigits: number
  readonly productDigits: number
  /** Padded to so many bytes when it is shorter by PADDING_BYTES_MIN or more. */
  readonly eventBytes: number
  readonly shape?: EventShape | undefined
}

/** `sequenceHigh` and `timeHigh` are the leading digits that `bytes` holds at present; the rest says where digits belong. */
export interface EventTemplate {
  readonly bytes: Uint8Array
  sequenceHigh: number
  timeHigh: number
  readonly sequenceAt: number
  readonly userAt: number
  readonly productAt: number
  readonly timeAt: number
  readonly sessionAt: number
  /** The time is a date, and not a number, and so far east of UTC, in ms. */
  readonly isDate: boolean
  readonly eastMs: number
  /** The time is a number of seconds. */
  readonly isSeconds: boolean
  /** Where each value lies, [start, end). */
  readonly values: { readonly [field in FieldName]: readonly [number, number] }
}

/** The least that padding takes: its key and an empty text. */
const PADDING_BYTES_MIN = 14

/** Of dates that have one. */
const ZONE = '+02:00'
const ZONE_EAST_MS = 7_200_000

const PADDING = 'https://shop.example/a/long/way/down/'
const UUID_DIGITS = 12
const AROUND_USER: Readonly<Record<UserIdShape, readonly [string, string]>> = {
  number: ['u-', ''],
  uuid: ['00000000-0000-4000-8000-', ''],
  email: ['user', '@mail.example'],
}

/** How many digits a user id has, given how many its largest number takes. */
export function userDigitsOf(shape: UserIdShape, digits: number): number {
  return shape === 'uuid' ? Math.max(UUID_DIGITS, digits) : digits
}

/** How each value is written: what stands before its digits and behind them. */
function valuesOf(form: TemplateForm, isDate: boolean): { readonly [field in FieldName]: readonly [string, number, string] } {
  const [beforeUser, afterUser] = AROUND_USER[form.userIds]
  const seed = (form.seed >>> 0).toString(16).padStart(8, '0')
  const { types, times, productNumbers } = form.shape ?? PLAIN_SHAPE
  const time: [string, number, string] = ['', TIME_HIGH_DIGITS + (times === 's' ? SECONDS_LOW_DIGITS : LOW_DIGITS), '']
  const date: [string, number, string] = ['"', DATE_HIGH_LENGTH + LOW_DIGITS + 1, times === 'zoned' ? `${ZONE}"` : 'Z"']
  return {
    id: [`"${seed}-`, SEQUENCE_HIGH_DIGITS + LOW_DIGITS, '"'],
    user: [`"${beforeUser}`, form.userDigits, `${afterUser}"`],
    product: productNumbers === true ? ['1', form.productDigits, ''] : ['"p-', form.productDigits, '"'],
    type: [bytesOf(JSON.stringify(types[form.type === 'click' ? 1 : 0])), 0, ''],
    time: isDate ? date : time,
    session: ['"s-', form.userDigits, '"'],
  }
}

/** A character for each byte of UTF-8, so that places in the text are places in the bytes. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** A template of this form, all its digits 0. */
export function eventTemplate(form: TemplateForm): EventTemplate {
  const shape = form.shape ?? PLAIN_SHAPE
  const { tree, isDate } = shapeTree(shape, form.camel)
  const parts = valuesOf(form, isDate)
  const values: { [field: string]: readonly [number, number] } = {}
  const digitsAt: { [field: string]: number } = {}
  let text = ''
  const write = (node: JsonTree): void => {
    if (typeof node === 'string') {
      const [before, digits, after] = parts[node]
      const start = text.length
      digitsAt[node] = start + before.length
      text += before + '0'.repeat(digits) + after
      values[node] = [start, text.length]
      return
    }
    if ('json' in node) {
      text += node.json
      return
    }
    text += '{'
    let comma = ''
    for (const [key, inside] of node.keys) {
      text += `${comma}${bytesOf(JSON.stringify(key))}:`
      write(inside)
      comma = ','
    }
    text += '}'
  }
  write(tree)
  text = text.slice(0, -1)
  const missing = form.eventBytes - text.length - 1
  const pageUrl = form.camel ? 'pageUrl' : 'page_url'
  if (missing >= PADDING_BYTES_MIN) text += `${`,"${pageUrl}":"`.padEnd(missing - 1, PADDING)}"`
  text += '}'
  const at = (field: FieldName) => digitsAt[field] ?? 0
  return {
    bytes: Buffer.from(text, 'latin1'),
    sequenceHigh: 0,
    timeHigh: 0,
    sequenceAt: at('id'),
    userAt: at('user'),
    productAt: at('product'),
    timeAt: at('time'),
    sessionAt: at('session'),
    isDate,
    eastMs: shape.times === 'zoned' ? ZONE_EAST_MS : 0,
    isSeconds: !isDate && shape.times === 's',
    values: values as EventTemplate['values'],
  }
}
