/** What a terminal can show: colours, and text in columns. */
import picocolors from 'picocolors'

/** Whether stdout takes colours: a terminal, and nobody has asked for none (NO_COLOR). */
export const COLOURS: boolean = process.stdout.isTTY === true && picocolors.isColorSupported

/** The text in exactly `columns` terminal columns, cut with … or padded. Control characters, which a product id may hold, become `?`. */
export function fit(text: string, columns: number): string {
  let out = ''
  let used = 0
  const characters = [...text]
  for (const [i, character] of characters.entries()) {
    const shown = /[\p{C}\p{Zl}\p{Zp}]/u.test(character) ? '?' : character
    const width = columnsOf(shown)
    const left = columns - used
    if (width > left || (i < characters.length - 1 && width === left)) {
      if (left > 0) out += `…${' '.repeat(left - 1)}`
      return out
    }
    out += shown
    used += width
  }
  return out + ' '.repeat(columns - used)
}

/** Near enough for product ids: combining marks take no column, East Asian characters and emoji two. */
function columnsOf(character: string): number {
  if (/\p{M}/u.test(character)) return 0
  const code = character.codePointAt(0) ?? 0
  return code >= 0x1100 && (code <= 0x115f || (code >= 0x2e80 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff))
    ? 2
    : wideSymbol(code)
}

function wideSymbol(code: number): number {
  return (code >= 0xff00 && code <= 0xff60) || code >= 0x1f300 ? 2 : 1
}
