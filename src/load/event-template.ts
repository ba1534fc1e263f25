/**
 * The bytes of an event with the digits left open, in every form that events are made in.
 *
 *   {"event_id":"0000002a-000000000017","user_id":"u-000042","product_id":"p-0007","event_type":"impression",
 *    "timestamp":1659304800025,"session_id":"s-000042"}
 *
 * The other spelling has eventId, userId and so on. Padding is one unknown key more at the end.
 */

/** How the keys of events are spelt; mixed is one or the other by event. */
export type KeySpelling = 'snake' | 'camel' | 'mixed'

/** What user ids look like: u-000042, 00000000-0000-4000-8000-000000000042, or user000042@mail.example. */
export type UserIdShape = 'number' | 'uuid' | 'email'

/** Digits of an event's number and time: the leading ones change rarely and are kept in the template. */
export const SEQUENCE_HIGH_DIGITS = 8
export const TIME_HIGH_DIGITS = 9
export const LOW_DIGITS = 4

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
}

/** The least that padding takes: its key and an empty text. */
const PADDING_BYTES_MIN = 14

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

/** A template of this form, all its digits 0. */
export function eventTemplate(form: TemplateForm): EventTemplate {
  let text = ''
  const put = (before: string, digits: number): number => {
    text += before
    const at = text.length
    text += '0'.repeat(digits)
    return at
  }
  const key = (snake: string) => `"${form.camel ? snake.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()) : snake}":`
  const [beforeUser, afterUser] = AROUND_USER[form.userIds]
  const seed = (form.seed >>> 0).toString(16).padStart(8, '0')
  const sequenceAt = put(`{${key('event_id')}"${seed}-`, SEQUENCE_HIGH_DIGITS + LOW_DIGITS)
  const userAt = put(`",${key('user_id')}"${beforeUser}`, form.userDigits)
  const productAt = put(`${afterUser}",${key('product_id')}"p-`, form.productDigits)
  const timeAt = put(`",${key('event_type')}"${form.type}",${key('timestamp')}`, TIME_HIGH_DIGITS + LOW_DIGITS)
  const sessionAt = put(`,${key('session_id')}"s-`, form.userDigits)
  text += '"'
  const missing = form.eventBytes - text.length - 1
  if (missing >= PADDING_BYTES_MIN) text += `${`,${key('page_url')}"`.padEnd(missing - 1, PADDING)}"`
  text += '}'
  return { bytes: Buffer.from(text), sequenceHigh: 0, timeHigh: 0, sequenceAt, userAt, productAt, timeAt, sessionAt }
}
