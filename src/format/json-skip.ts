/**
 * Steps over JSON that the engine doesn't count, as strictly as JSON.parse would read it. Each function takes the position of the first
 * byte and returns the position after the last. A negative number says that it is no JSON, or NOT_SURE.
 */

/** Deeper values go to the exact parser. */
const NESTING_MAX = 16
/** Instead of a position: it is deeper than this looks, or something is there that is tolerated though it is no JSON. */
export const NOT_SURE = -2

/** 1 for the bytes a string may hold as they are: printable ASCII and DEL, except the quote and the backslash. */
export const PLAIN = new Uint8Array(256)
for (let byte = 0x20; byte < 0x80; byte++) PLAIN[byte] = byte === 0x22 || byte === 0x5c ? 0 : 1

/** The four bytes JSON calls white space. */
export function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** Whether a value begins as an object or an array and does not end as one: whatever is between, it is no JSON. */
export function isCutOff(bytes: Uint8Array, start: number, end: number): boolean {
  if (end <= start) return false
  const first = bytes[start]
  const last = bytes[end - 1]!
  return ((first === 0x7b && last !== 0x7d) || (first === 0x5b && last !== 0x5d)) && !isSpace(last)
}

/** Of what is ASCII it need not be asked whether it is UTF-8. */
export function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  let all = 0
  for (let at = start; at < end; at++) all |= bytes[at]!
  return all < 0x80
}

/** Over white space, of which there may be none. */
export function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start
  while (isSpace(bytes[at]!)) at++
  return at
}

/** Position of the first byte, from `start` on, that is not plain, or `end`. */
export function plainTail(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && PLAIN[bytes[at]!] === 1) at++
  return at
}

/** Over the rest of a string whose opening quote is just before `start`. */
export function skipString(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  for (;;) {
    while (PLAIN[bytes[at]!] === 1) at++
    if (at >= end) return -1
    const byte = bytes[at]!
    if (byte === 0x22) return at + 1
    if (byte === 0x5c) at = skipEscape(bytes, at + 1)
    else if (byte >= 0x80) at = skipUtf8(bytes, at, end)
    else return NOT_SURE // a control character
    if (at < 0) return at
  }
}

/** Over the rest of a string that need not be UTF-8; NOT_SURE of one with an escape. */
export function skipUnescaped(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (PLAIN[bytes[at]!] === 1 || bytes[at]! >= 0x80) at++
  if (at >= end) return -1
  return bytes[at] === 0x22 ? at + 1 : NOT_SURE
}

function skipEscape(bytes: Uint8Array, at: number): number {
  switch (bytes[at]) {
    case 0x22:
    case 0x5c:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return at + 1
    case 0x75:
      return isHex(bytes[at + 1]) && isHex(bytes[at + 2]) && isHex(bytes[at + 3]) && isHex(bytes[at + 4]) ? at + 5 : -1
    default:
      return -1
  }
}

function isHex(byte: number | undefined): boolean {
  if (byte === undefined) return false
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)
}

/** One character of two to four bytes; NOT_SURE of overlong forms, surrogates and what lies beyond U+10FFFF. */
export function skipUtf8(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at]!
  const second = bytes[at + 1]!
  let low = 0x80
  let high = 0xbf
  let length: number
  if (lead >= 0xc2 && lead <= 0xdf) length = 2
  else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3
    if (lead === 0xe0) low = 0xa0
    if (lead === 0xed) high = 0x9f
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4
    if (lead === 0xf0) low = 0x90
    if (lead === 0xf4) high = 0x8f
  } else return NOT_SURE
  if (at + length > end || second < low || second > high) return NOT_SURE
  if (length > 2 && (bytes[at + 2]! & 0xc0) !== 0x80) return NOT_SURE
  if (length > 3 && (bytes[at + 3]! & 0xc0) !== 0x80) return NOT_SURE
  return at + length
}

/** Over any JSON value that begins at `start`. */
export function skipValue(bytes: Uint8Array, start: number, end: number, depth: number): number {
  switch (bytes[start]) {
    case 0x22:
      return skipString(bytes, start + 1, end)
    case 0x7b:
      return depth < NESTING_MAX ? skipObject(bytes, start + 1, end, depth + 1) : NOT_SURE
    case 0x5b:
      return depth < NESTING_MAX ? skipArray(bytes, start + 1, end, depth + 1) : NOT_SURE
    case 0x74:
      return bytes[start + 1] === 0x72 && bytes[start + 2] === 0x75 && bytes[start + 3] === 0x65 ? start + 4 : -1
    case 0x66:
      return bytes[start + 1] === 0x61 && bytes[start + 2] === 0x6c && bytes[start + 3] === 0x73 && bytes[start + 4] === 0x65
        ? start + 5
        : -1
    case 0x6e:
      return bytes[start + 1] === 0x75 && bytes[start + 2] === 0x6c && bytes[start + 3] === 0x6c ? start + 4 : -1
    default:
      return skipNumber(bytes, start)
  }
}

function skipObject(bytes: Uint8Array, start: number, end: number, depth: number): number {
  let at = skipSpace(bytes, start)
  if (bytes[at] === 0x7d) return at + 1
  for (;;) {
    if (bytes[at] !== 0x22) return -1
    at = skipString(bytes, at + 1, end)
    if (at < 0) return at
    at = skipSpace(bytes, at)
    if (bytes[at] !== 0x3a) return -1
    at = skipValue(bytes, skipSpace(bytes, at + 1), end, depth)
    if (at < 0) return at
    at = skipSpace(bytes, at)
    if (bytes[at] === 0x7d) return at + 1
    if (bytes[at] !== 0x2c) return -1
    at = skipSpace(bytes, at + 1)
  }
}

function skipArray(bytes: Uint8Array, start: number, end: number, depth: number): number {
  let at = skipSpace(bytes, start)
  if (bytes[at] === 0x5d) return at + 1
  for (;;) {
    at = skipValue(bytes, at, end, depth)
    if (at < 0) return at
    at = skipSpace(bytes, at)
    if (bytes[at] === 0x5d) return at + 1
    if (bytes[at] !== 0x2c) return -1
    at = skipSpace(bytes, at + 1)
  }
}

function skipNumber(bytes: Uint8Array, start: number): number {
  let at = bytes[start] === 0x2d ? start + 1 : start
  if (bytes[at] === 0x30) at++
  else {
    const first = at
    at = skipDigits(bytes, at)
    // NaN, Infinity and -Infinity.
    if (at === first) return bytes[at] === 0x4e || bytes[at] === 0x49 ? NOT_SURE : -1
  }
  if (bytes[at] === 0x2e) {
    const first = at + 1
    at = skipDigits(bytes, first)
    if (at === first) return -1
  }
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    at++
    if (bytes[at] === 0x2b || bytes[at] === 0x2d) at++
    const first = at
    at = skipDigits(bytes, at)
    if (at === first) return -1
  }
  return at
}

function skipDigits(bytes: Uint8Array, start: number): number {
  let at = start
  while (bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++
  return at
}
