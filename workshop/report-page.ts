/** A report as one HTML page that needs no network: figures as a table, series as charts (uPlot, inlined). */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface Chart {
  readonly title: string
  readonly unit: string
  /** Seconds, and a value for each. */
  readonly x: readonly number[]
  readonly y: readonly number[]
  /** What x = 0, 1, 2 and on stand for, when they are no seconds. */
  readonly names?: readonly string[]
}

export interface Page {
  readonly title: string
  /** Where and when it was measured. */
  readonly place: string
  readonly figures: readonly (readonly [name: string, value: string])[]
  readonly charts: readonly Chart[]
}

const WIDTH = 900
const HEIGHT = 220

/** The page's text. */
export function renderPage({ title, place, figures, charts }: Page): string {
  const library = dirname(createRequire(import.meta.url).resolve('uplot/package.json'))
  const script = readFileSync(join(library, 'dist/uPlot.iife.min.js'), 'utf8')
  const style = readFileSync(join(library, 'dist/uPlot.min.css'), 'utf8')
  const rows = figures.map(([name, value]) => `<tr><td>${escaped(name)}</td><td>${escaped(value)}</td></tr>`)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title>
<style>${style}
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: ${WIDTH + 40}px; color: #222 }
td { padding: 2px 16px 2px 0; vertical-align: top } td + td { text-align: right; font-variant-numeric: tabular-nums }
</style></head><body>
<h1>${escaped(title)}</h1><p>${escaped(place)}</p>
<table>${rows.join('\n')}</table>
<div id="charts"></div>
<script>${script}</script>
<script>
for (const { title, unit, x, y, names } of ${JSON.stringify(charts).replaceAll('<', '\\u003c')}) {
  const named = names && { splits: () => x, values: () => names }
  const scales = names ? { x: { time: false }, y: { range: (_, least, most) => [0, most * 1.1] } } : { x: { time: false } }
  new uPlot({ title, width: ${WIDTH}, height: ${HEIGHT}, scales, axes: [named ?? { label: 's' }, { size: 90 }],
    series: [named ? { label: '', value: (_, at) => names[at] ?? '' } : { label: 's' }, { label: unit, stroke: '#2463a8', width: 1.5 }] },
    [x, y], document.getElementById('charts'))
}
</script></body></html>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
