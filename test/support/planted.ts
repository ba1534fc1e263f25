/** Personal data in every place of a record where it can be, and what finds it again however bytes are written. */
import avsc from 'avsc'

/** Each is planted in a place of its own, so that what is found tells where it was. */
export const PLANTED = {
  user: 'zqu-7301',
  mail: 'zqm7302@example.org',
  text: 'zqt 7303 ä',
  number: '730473047304',
  name: 'zqn-7305',
  key: 'zqk-7306',
  header: 'zqh-7307',
  headerName: 'zqg-7308',
  broken: 'zqb-7309',
  unread: 'zqr-7310',
  time: 'zqd-7311',
  type: 'zqy-7312',
  late: 'zql-7313',
  avro: 'zqa-7314',
  bytes: 'zqx-7315',
  ignored: 'zqi-7316',
} as const

/** What becomes of them, in records. */
export const LATE = 2
/** Of them so many are invalid. */
export const INVALID = 12
/** Letters that have PLANTED.user as a value of their own. */
export const HELD = 3
export const NOW = Date.now() - 120_000
/** Of so many agreeing events a partition believes that its time has come so far. */
const FAR_AHEAD = Array.from({ length: 12 }, (_, i) => NOW + 60_000 + i)
export const SCHEMA = avsc.Type.forSchema({
  type: 'record',
  name: 'Event',
  fields: [
    { name: 'user_id', type: 'string' },
    { name: 'product_id', type: 'string' },
    { name: 'event_type', type: 'string' },
    { name: 'timestamp', type: 'long' },
  ],
})
export const MASK_KEY = 'planted-key-of-masks-'.padEnd(64, '7')

/** What a person may be found by, however bytes are written. */
function formsOf(marker: string): string[] {
  const bytes = Buffer.from(marker)
  const inBase64 = [0, 1, 2].map((lead) => {
    const text = Buffer.concat([Buffer.alloc(lead), bytes]).toString('base64')
    // At both ends a sign may be of what is beside it, too.
    return text.slice(Math.ceil((lead * 4) / 3), Math.floor(((lead + bytes.length) * 4) / 3))
  })
  return [marker, encodeURIComponent(marker), bytes.toString('hex'), ...inBase64]
}

const FORMS = Object.entries({ ...PLANTED, maskKey: MASK_KEY }).map(([name, marker]) => [name, formsOf(marker)] as const)

/** Which of PLANTED, and `maskKey`, are in the text. */
export function foundIn(text: string): string[] {
  return FORMS.filter(([, forms]) => forms.some((form) => text.includes(form))).map(([name]) => name)
}

const event = (more: object, at = NOW) => JSON.stringify({ user_id: 'u', product_id: 'p-1', event_type: 'click', timestamp: at, ...more })

/** Values of a topic of JSON: those that count first, then one far ahead that makes `late` late. */
export function jsonValues(): (string | Buffer)[] {
  const { user, mail, text, number, name, broken, unread, time, type, late, bytes, ignored } = PLANTED
  return [
    event({ user_id: user, note: mail, [name]: { [mail]: text, list: [user, Number(number)] } }),
    event({ event_type: type, user_id: ignored }),
    event({ timestamp: time, user_id: user, more: { text, number: Number(number) } }),
    event({ product_id: { [name]: unread }, user_id: user, nested: [[mail], { [mail]: true }] }),
    event({ product_id: 'x'.repeat(300), user_id: mail }),
    `{"user_id":"${user}","note":${broken}}`,
    `{"product_id":"p-1","user_id":"${broken}`,
    `${broken} is no JSON`,
    `["${broken}"]`,
    Buffer.concat([Buffer.from(`{"user_id":"${bytes}`), Buffer.from([0xff]), Buffer.from('","product_id":"p-1"}')]),
    Buffer.from(`\x00\x01\x02\x03${bytes}`),
    ...FAR_AHEAD.map((at) => event({ product_id: 'p-2' }, at)),
    event({ user_id: late, note: mail, [name]: 1 }, NOW - 1_000),
  ]
}

/** The same of a topic of Avro. */
export function avroValues(): Buffer[] {
  const one = (user: string, at = NOW) => SCHEMA.toBuffer({ user_id: user, product_id: 'p-1', event_type: 'click', timestamp: at })
  return [
    one(PLANTED.avro),
    one(PLANTED.avro).subarray(0, 12),
    // A length, of which the first bytes are text.
    Buffer.concat([Buffer.from([0xfe, 0xff, 0x7f]), Buffer.from(PLANTED.avro)]),
    Buffer.concat([one(PLANTED.avro), Buffer.from(PLANTED.bytes)]),
    ...FAR_AHEAD.map((at) => one('u', at)),
    one(PLANTED.avro, NOW - 1_000),
  ]
}
