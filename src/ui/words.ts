/** Values as the page writes them. What is not known is a dash. */
import { formatBytes, formatCount, formatRatio, formatSpan } from '../text.ts'

/** Of what is not known. */
export const UNKNOWN = '–'

type Maybe = number | null | undefined

/** `12,345`. */
export function countText(value: Maybe): string {
  return value === null || value === undefined ? UNKNOWN : formatCount(value)
}

/** `12,345`, and below ten with a decimal: `0.4`. */
export function rateText(value: Maybe): string {
  if (value === null || value === undefined) return UNKNOWN
  return value > 0 && value < 10 ? value.toFixed(1) : formatCount(value)
}

/** `5.2 s`; a negative span is ahead. */
export function secondsText(value: Maybe): string {
  if (value === null || value === undefined) return UNKNOWN
  return value < 0 ? `−${formatSpan(-value * 1000)}` : formatSpan(value * 1000)
}

/** `4.96 %`. */
export function ratioText(value: Maybe): string {
  return value === null || value === undefined ? UNKNOWN : formatRatio(value)
}

/** `12.3 MiB`; what there is less of has its sign. */
export function bytesText(value: Maybe): string {
  if (value === null || value === undefined) return UNKNOWN
  return value < 0 ? `−${formatBytes(-value)}` : formatBytes(value)
}

/** `2026-01-01 12:00:05`, UTC. */
export function timeText(iso: string | null | undefined): string {
  return iso === null || iso === undefined ? UNKNOWN : iso.slice(0, 19).replace('T', ' ')
}

/** `12:00:05`, UTC; with its date when that is not the date of `at`. */
export function clockText(iso: string | null | undefined, at: string): string {
  if (iso === null || iso === undefined) return UNKNOWN
  return iso.slice(0, 10) === at.slice(0, 10) ? iso.slice(11, 19) : timeText(iso)
}

/** `3 min 20 s`, between two times. */
export function sinceText(iso: string, at: string): string {
  return formatSpan(Math.max(0, Date.parse(at) - Date.parse(iso)))
}

/** `4.81 % – 5.12 %`. */
export function intervalText(low: Maybe, high: Maybe): string {
  return low === null || low === undefined || high === null || high === undefined ? UNKNOWN : `${ratioText(low)} – ${ratioText(high)}`
}
