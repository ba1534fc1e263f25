import stringWidth from 'string-width'

/** Lines of at most so many columns, broken at spaces; a longer word stands alone and is not cut, so that it can be copied. */
export function wrap(text: string, columns: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = []
    let line = ''
    for (const word of paragraph.trim().split(/ +/)) {
      const longer = line === '' ? word : `${line} ${word}`
      if (line === '' || stringWidth(longer) <= columns) line = longer
      else {
        lines.push(line)
        line = word
      }
    }
    return [...lines, line]
  })
}
