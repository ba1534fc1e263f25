/** Text in columns of a terminal. */
import stringWidth from 'string-width'

/** What is shown as one character, however many code points it takes: accents, skin tones, flags. */
const CHARACTERS = new Intl.Segmenter()

/** The text in exactly `columns` terminal columns, cut with … or padded. Control characters, which a product id may hold, become `?`. */
export function fit(text: string, columns: number): string {
  let out = ''
  let used = 0
  const shown = text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')
  for (const { segment, index } of CHARACTERS.segment(shown)) {
    const width = stringWidth(segment)
    const left = columns - used
    const last = index + segment.length === shown.length
    if (width > left || (!last && width === left)) {
      if (left > 0) out += `…${' '.repeat(left - 1)}`
      return out
    }
    out += segment
    used += width
  }
  return out + ' '.repeat(columns - used)
}
