/** A line of history in characters: one for each stretch of time, as high as its mean; and bars. */

const HEIGHTS = ' ▁▂▃▄▅▆▇█'
/** What is not known. */
const GAP = '·'

/** The newest values, right-aligned, in exactly `columns` characters; the highest of them reaches the top. */
export function sparkline(values: readonly (number | null)[], columns: number): string {
  // What was before anything was known takes no room.
  const first = values.findIndex((value) => value !== null)
  const known = first < 0 ? [] : values.slice(first)
  const perColumn = Math.max(1, Math.ceil(known.length / columns))
  const means: (number | null)[] = []
  for (let end = known.length; end > 0 && means.length < columns; end -= perColumn) {
    means.unshift(meanOf(known.slice(Math.max(0, end - perColumn), end)))
  }
  const most = Math.max(0, ...means.map((mean) => mean ?? 0))
  return means
    .map((mean) => heightOf(mean, most))
    .join('')
    .padStart(columns)
}

const PARTS = ' ▏▎▍▌▋▊▉█'

/** A bar of exactly `columns` characters that is filled up to a share, 0 to 1. */
export function bar(share: number, columns: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * columns * 8)
  const full = Math.floor(eighths / 8)
  return `${'█'.repeat(full)}${full < columns ? PARTS[eighths % 8] : ''}`.padEnd(columns)
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length
}

/** Anything above nothing is seen. */
function heightOf(mean: number | null, most: number): string {
  if (mean === null) return GAP
  if (mean <= 0 || most <= 0) return HEIGHTS[0] ?? ''
  return HEIGHTS[Math.max(1, Math.round((mean / most) * (HEIGHTS.length - 1)))] ?? ''
}
