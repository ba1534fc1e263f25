/** Numbers, times and spans in words for people; and text of others as it may be shown. */

/** 1234567 is `1,234,567`. By hand: the first use of `toLocaleString` costs 25 ms of CPU. */
export function formatCount(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(?:\d{3})+$)/g, ',')
}

/** At most the first `maxLength` characters; what is cut off is counted behind them. */
export function clip(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text
  return `${text.slice(0, maxLength)}… (${formatCount(text.length - maxLength)} characters more)`
}

/** Bytes for people: `850 B`, `12.3 KiB`, `4.0 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`
  if (bytes < 1024 ** 3) return `${(bytes / 1024 ** 2).toFixed(1)} MiB`
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`
}

/** A ratio as a percentage: 0.0496 is `4.96 %`. */
export function formatRatio(value: number): string {
  return `${(value * 100).toFixed(2)} %`
}

/** Wall-clock or event time, UTC: `12:00:05`; with its date when that isn't the date of `now`. */
export function formatTime(ms: number, now: number): string {
  const iso = new Date(ms).toISOString()
  return iso.slice(0, 10) === new Date(now).toISOString().slice(0, 10) ? iso.slice(11, 19) : `${iso.slice(0, 10)} ${iso.slice(11, 19)}`
}

/** A span of time for people: `850 ms`, `5.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatSpan(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  return `${formatCount(minutes / 1440)} days`
}

const AUTHORITY = /:\/\/[^\s"'<>?#]*/g
const PARAMETER = /([?&;][\w.-]+=)[^&;#\s"'<>]*/g
const SECRET_NAME = /pass|pwd|secret|token|key|sign|cred|auth|user/i

/**
 * The text with what may be secret in its addresses masked: user and password before the host, and such parameters of a query. In time
 * that grows with its length alone, for it may be a server's, and long: neither pattern begins again within what it has looked at.
 */
export function maskSecrets(text: string): string {
  if (!text.includes('://')) return text
  return text
    .replaceAll(AUTHORITY, (found) => (found.includes('@') ? `://***${found.slice(found.lastIndexOf('@'))}` : found))
    .replaceAll(PARAMETER, (found, name: string) => (SECRET_NAME.test(name) ? `${name}***` : found))
}

const UNSEEN = /(?![\n\t])[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu

/**
 * Text of others for a terminal, which must not obey it: control characters but line ends and tabs, and those that turn the direction of
 * writing, as JavaScript would write them: `\x1b`, `\u202e`.
 */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, (character) => {
    const code = character.charCodeAt(0).toString(16)
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`
  })
}

/** The same of JSON, which stays what it is. */
export function visibleJson(json: string): string {
  return json.replaceAll(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
