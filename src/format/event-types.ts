/** Which texts are impressions and which clicks. */

/** What a text is that is neither. */
export const OTHER_TYPE = -1
/** Its bytes don't tell. */
export const UNSURE_TYPE = -2

interface Word {
  readonly bytes: Uint8Array
  readonly click: number
}

const CASE_BIT = 0x20

export class EventTypes {
  /** As they are given. */
  readonly words: readonly string[]
  readonly #caseSensitive: boolean
  readonly #clickOf = new Map<string, number>()
  /** Of ASCII alone, by their length; in lower case unless case matters. */
  readonly #ascii: Word[][] = []

  constructor(impressions: readonly string[], clicks: readonly string[], caseSensitive: boolean) {
    this.words = [...impressions, ...clicks]
    this.#caseSensitive = caseSensitive
    for (const word of impressions) this.#add(word, 0)
    for (const word of clicks) this.#add(word, 1)
  }

  /** 1 for a click, 0 for an impression, OTHER_TYPE. */
  clickOf(text: string): number {
    return this.#clickOf.get(this.#fold(text)) ?? OTHER_TYPE
  }

  /** The same of the UTF-8 text bytes[start, end) of a JSON string, or UNSURE_TYPE. */
  clickAt(bytes: Uint8Array, start: number, end: number): number {
    const words = this.#ascii[end - start]
    if (words !== undefined) for (const word of words) if (this.#isAt(bytes, start, word.bytes)) return word.click
    // What is not plain may be an escape, or a letter whose lower case is ASCII.
    for (let at = start; at < end; at++) if (bytes[at]! >= 0x80 || bytes[at] === 0x5c) return UNSURE_TYPE
    return OTHER_TYPE
  }

  #isAt(bytes: Uint8Array, start: number, word: Uint8Array): boolean {
    for (let i = 0; i < word.length; i++) {
      const byte = bytes[start + i]!
      const folded = !this.#caseSensitive && byte >= 0x41 && byte <= 0x5a ? byte | CASE_BIT : byte
      if (folded !== word[i]) return false
    }
    return true
  }

  #add(text: string, click: number): void {
    const folded = this.#fold(text)
    this.#clickOf.set(folded, click)
    // A word with an escape in it would be taken for what the escape means.
    if (!/^[\x20-\x5b\x5d-\x7e]*$/.test(folded)) return
    const bytes = new Uint8Array(Buffer.from(folded, 'latin1'))
    this.#ascii[bytes.length] ??= []
    this.#ascii[bytes.length]!.push({ bytes, click })
  }

  #fold(text: string): string {
    return this.#caseSensitive ? text : text.toLowerCase()
  }
}
