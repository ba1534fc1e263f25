/** Numbers, times and spans in words for people. */

/** 1234567 is `1,234,567`. By hand: the first use of `toLocaleString` costs 25 ms of CPU. */
export function formatCount(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(?:\d{3})+$)/g, ',')
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
