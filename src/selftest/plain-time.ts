/** Times by patterns and of zones, the plain way: a regular expression a pattern, and Intl asked for each time. */

const DAY = 86_400_000

/** The instant of a zone's local time (ms, as if it were UTC): the first of two; where clocks skip it, by the offset before. */
export function ofZone(wall: number, zone: string): number {
  const [, sign, hours, minutes] = /^([+-])(..):(..)$/.exec(zone) ?? []
  if (sign !== undefined) return wall - (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
  if (zone === 'UTC' || wall < 0) return wall
  const offsets = [east(wall - DAY, zone), east(wall + DAY, zone)]
  const right = offsets.map((offset) => wall - offset).filter((instant) => instant + east(instant, zone) === wall)
  return right.length === 0 ? wall - east(wall - DAY, zone) : Math.min(...right)
}

function east(instant: number, timeZone: string): number {
  const shown = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short', timeStyle: 'medium', hourCycle: 'h23' }).format(instant)
  return Date.parse(`${shown.replace(', ', 'T')}Z`) - Math.floor(instant / 1000) * 1000
}

const MONTHS = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december']
const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
/** In full or three letters of it, in any case. */
const oneOf = (names: readonly string[]) => names.flatMap((name) => [anyCase(name), anyCase(name.slice(0, 3))]).join('|')
const anyCase = (word: string) => word.replaceAll(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)
const FORMS: { readonly [letter: string]: string } = {
  Y: '(?<Y>[0-9]{4})',
  y: '(?<y>[0-9]{2})',
  m: '(?=(?<m>[0-9]{1,2}))\\k<m>',
  d: '(?=(?<d>[0-9]{1,2}))\\k<d>',
  e: ' ?(?=(?<d>[0-9]{1,2}))\\k<d>',
  j: '(?=(?<j>[0-9]{1,3}))\\k<j>',
  b: `(?<b>${oneOf(MONTHS)})`,
  a: `(?:${oneOf(DAYS)})`,
  H: '(?=(?<H>[0-9]{1,2}))\\k<H>',
  I: '(?=(?<I>[0-9]{1,2}))\\k<I>',
  M: '(?=(?<M>[0-9]{1,2}))\\k<M>',
  S: '(?=(?<S>[0-9]{1,2}))\\k<S>',
  f: '(?=(?<f>[0-9]{1,9}))\\k<f>',
  p: '(?<p>[AaPp])[Mm]',
  z: '(?<z>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)',
  Z: `(?<Z>${['utc', 'gmt', 'z'].map(anyCase).join('|')})`,
  '%': '%',
}
const ALIKE: { readonly [letter: string]: string } = { B: 'b', h: 'b', A: 'a' }
const LONG: { readonly [letter: string]: string } = { F: '%Y-%m-%d', T: '%H:%M:%S', R: '%H:%M', D: '%m/%d/%y' }

/** ms of a text by a pattern of strptime; undefined when it is of another form, or no time. */
export function patternTime(text: string, pattern: string, zone: string): number | undefined {
  const whole = pattern.replaceAll(/%([FTRD])/g, (short, letter: string) => LONG[letter] ?? short)
  const form = whole.replaceAll(/%(.)|[^A-Za-z0-9]/g, (one, letter?: string) =>
    letter === undefined ? `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}` : (FORMS[ALIKE[letter] ?? letter] ?? ''),
  )
  const said = new RegExp(`^${form}$`, 'u').exec(text)?.groups
  return said === undefined ? undefined : instantOf(said, zone)
}

function instantOf(said: { readonly [letter: string]: string | undefined }, zone: string): number | undefined {
  const number = (letter: string, without = 0) => (said[letter] === undefined ? without : Number(said[letter]))
  const year = said.Y === undefined ? number('y') + (number('y') < 69 ? 2000 : 1900) : number('Y')
  const shortMonth = (said.b ?? '').slice(0, 3).toLowerCase()
  const month = said.b === undefined ? number('m', 1) : MONTHS.findIndex((name) => name.startsWith(shortMonth)) + 1
  const day = said.j === undefined ? number('d') : number('j')
  const date = new Date(0)
  date.setUTCFullYear(year, said.j === undefined ? month - 1 : 0, day)
  const isDay = date.getUTCFullYear() === year && day > 0 && (said.j !== undefined || (date.getUTCMonth() === month - 1 && month > 0))
  let hour = number('H')
  if (said.p !== undefined) {
    if (number('I') < 1 || number('I') > 12) return undefined
    hour = (number('I') % 12) + (said.p.toLowerCase() === 'p' ? 12 : 0)
  }
  if (!isDay || hour > 23 || number('M') > 59 || number('S') > 59) return undefined
  const ms = Number((said.f ?? '').padEnd(3, '0').slice(0, 3))
  const wall = date.getTime() + hour * 3_600_000 + number('M') * 60_000 + number('S') * 1000 + ms
  if (said.Z !== undefined || said.z?.toLowerCase() === 'z') return wall
  if (said.z === undefined) return ofZone(wall, zone)
  const [, sign, hours, minutes = '00'] = /^([+-])(..):?(..)?$/.exec(said.z) ?? []
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined
  return wall - (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000
}
