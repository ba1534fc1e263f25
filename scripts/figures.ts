/**
 * Rewrites the measured figures in README.md from reports: npm run docs:figures -- FILE.json …
 * A report of kind K goes between the lines <!-- figures:K --> and <!-- /figures:K -->.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type BenchReport, type EndToEndReport, readBenchReport } from '../bench/bench-report.ts'
import { formatCount } from '../src/text.ts'
import { describePlace, median, significant } from '../workshop/report.ts'

const README = fileURLToPath(new URL('../README.md', import.meta.url))

/** The text with the report's figures in their place. Throws when there is none, or nothing to say. */
export function withFigures(text: string, report: BenchReport): string {
  const place = new RegExp(`(<!-- figures:${report.kind} -->\n)[\\s\\S]*?(<!-- /figures:${report.kind} -->)`)
  if (!place.test(text)) throw new Error(`README.md has no <!-- figures:${report.kind} --> … <!-- /figures:${report.kind} -->`)
  if (report.endToEnd === undefined) throw new Error('the report has no end-to-end run: make it without --micro')
  const block = benchFigures(report, report.endToEnd)
  return text.replace(place, (_, open: string, close: string) => `${open}${block}\n${close}`)
}

function benchFigures({ place }: BenchReport, endToEnd: Omit<EndToEndReport, 'place'>): string {
  const { events, rows, results, notRun } = endToEnd
  const rate = (runs: EndToEndReport['results'][number]['runs']) => median(runs.map(({ seconds }) => events / seconds))
  const cpu = (runs: EndToEndReport['results'][number]['runs']) => median(runs.map(({ cpuSeconds }) => (cpuSeconds * 1e6) / events))
  const ours = results.find(({ name }) => name === 'ctr')
  const lines = results.map(({ what, runs }) => [
    what,
    `${significant(rate(runs) / 1e6)} M`,
    significant(cpu(runs)),
    formatCount(median(runs.map(({ peakRssBytes }) => peakRssBytes / 2 ** 20))),
    ours === undefined ? '' : `${significant(rate(ours.runs) / rate(runs))} ×`,
    ours === undefined ? '' : `${significant(cpu(runs) / cpu(ours.runs))} ×`,
  ])
  const head = ['', 'events/s', 'CPU s per million', 'peak MiB', 'ctr is faster', 'ctr takes less CPU']
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [
    `${formatCount(events)} events on two topics of four partitions, all in one run, medians of ${results[0]?.runs.length ?? 0};`,
    `whoever makes rows makes the same ${formatCount(rows)}. ${describePlace(place)}.`,
    '',
    ...[head, head.map(() => '---'), ...lines].map(line),
    ...notRun.map(({ name, reason }) => `\nNot run: ${name}: ${reason}`),
  ].join('\n')
}

if (import.meta.main) {
  const files = process.argv.slice(2)
  if (files.length === 0) {
    console.error('usage: npm run docs:figures -- FILE.json …')
    process.exit(2)
  }
  writeFileSync(
    README,
    files.reduce((text, file) => withFigures(text, readBenchReport(file)), readFileSync(README, 'utf8')),
  )
}
