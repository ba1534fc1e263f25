/**
 * Patterns of times, as strptime has them: each directive is a percent sign and a letter, everything else stands for itself.
 *
 *   %Y %y %m %d %e %j    year, in two digits (69 is 1969), month, day, day with a blank for a zero, day of the year
 *   %b %B %h %a %A       names of months and of days of the week, English, short or in full, in any case
 *   %H %I %p %M %S %f    hour, hour of twelve with AM or PM, minute, second, one to nine digits of a fraction
 *   %z %Z                Z, +02, +0200 or +02:00; Z, UTC or GMT
 *   %F %T %R %D %%       %Y-%m-%d, %H:%M:%S, %H:%M, %m/%d/%y, a percent sign
 */

const SHORT: ReadonlyMap<string, string> = new Map([
  ['F', '%Y-%m-%d'],
  ['T', '%H:%M:%S'],
  ['R', '%H:%M'],
  ['D', '%m/%d/%y'],
])
const DIRECTIVES = 'YymdejbBhaAHIpMSfzZ'
/** Letters that say the same, by the one that stands for them. */
const SAME: ReadonlyMap<string, string> = new Map([
  ['y', 'Y'],
  ['e', 'd'],
  ['b', 'm'],
  ['B', 'm'],
  ['h', 'm'],
  ['a', 'A'],
  ['I', 'H'],
  ['Z', 'z'],
])

/** A piece of a pattern: a directive's letter, or text that stands for itself. */
export type PatternPiece = { readonly directive: string } | { readonly text: string }

/** The pieces of a pattern, with what is short written out; a directive that is none stays as it is. */
export function patternPieces(pattern: string): readonly PatternPiece[] {
  const pieces: PatternPiece[] = []
  for (const [whole, letter] of pattern
    .replaceAll(/%([FTRD])/g, (short, letter: string) => SHORT.get(letter) ?? short)
    .matchAll(/%(.?)|[^%]+/gs))
    pieces.push(letter === undefined || letter === '%' ? { text: letter ?? whole } : { directive: letter })
  return pieces
}

/** Why a pattern is none that says an instant; undefined for one that does. */
export function patternFault(pattern: string): string | undefined {
  const letters = patternPieces(pattern).flatMap((piece) => ('directive' in piece ? [piece.directive] : []))
  const unknown = letters.find((letter) => letter === '' || !DIRECTIVES.includes(letter))
  if (unknown !== undefined) return `has %${unknown}, which is not known`
  const said = letters.map((letter) => SAME.get(letter) ?? letter)
  const twice = said.find((one, i) => said.indexOf(one) !== i)
  if (twice !== undefined) return `says twice what %${twice} says`
  const has = (letter: string) => said.includes(letter)
  if (!has('Y')) return 'has no year'
  if (has('j') ? has('m') || has('d') : !(has('m') && has('d'))) return 'needs %m and %d, or %j instead'
  if (letters.includes('I') !== has('p')) return 'needs %I and %p together'
  if (/[^\x20-\x7e\xa0-\uffff]/u.test(pattern)) return 'has characters that a time has not'
  return undefined
}
