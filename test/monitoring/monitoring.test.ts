/** Alerts, dashboards and configurations: as new, and such that a stranger can rely on them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { createProgram } from '../../src/cli/program.ts'
import { loadConfig } from '../../src/config/load.ts'
import { METRICS } from '../../src/metrics/metrics.ts'
import { RUNBOOK_FILE } from '../../src/monitoring/alert.ts'
import { INHIBITIONS } from '../../src/monitoring/alertmanager.ts'
import { grafanaJson, isSql, type Panel } from '../../src/monitoring/dashboard.ts'
import { DASHBOARDS, MONITORING_FOLDER, monitoringFiles } from '../../src/monitoring/files.ts'
import { budgetOf, FRESH_SECONDS, OBJECTIVES } from '../../src/monitoring/objectives.ts'
import { RECORDED } from '../../src/monitoring/recorded.ts'
import { ALERTS, runbookUrl } from '../../src/monitoring/rules.ts'
import { EMIT_DELAY_BOUNDS } from '../../src/sink/sink-stats.ts'
import { temporaryFile } from '../support/config-file.ts'
import { COUNTERS_AS_THEY_ARE, knownSeries, readQuery } from '../support/promql.ts'

const ROOT = join(import.meta.dirname, '../..')
const known = await knownSeries()
const rules = ALERTS.flatMap((alert) => alert.rules.map((rule, i) => ({ name: `${alert.name} ${i}`, alert: alert.name, ...rule })))
const panels = DASHBOARDS.flatMap(({ uid, rows }) =>
  rows.flatMap((row) => row.panels.map((panel) => ({ name: `${uid}: ${panel.title}`, panel }))),
)
const queries = ({ targets }: Panel) => targets.flatMap((target) => (isSql(target) ? [] : [target]))

test('k8s/monitoring is as new (npm run monitoring writes it), and nothing else is there', () => {
  const folder = join(ROOT, MONITORING_FOLDER)
  const files = monitoringFiles()
  const there = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  expect(there.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1)).toSorted()).toEqual(
    [...files.keys()].toSorted(),
  )
  for (const [name, text] of files) expect(readFileSync(join(folder, name), 'utf8'), name).toBe(text)
})

test('every metric is in a dashboard or an alert', () => {
  const exprs = [
    ...rules.map(({ expr }) => expr),
    ...RECORDED.map(({ expr }) => expr),
    ...panels.flatMap(({ panel }) => queries(panel).map(({ expr }) => expr)),
  ]
  const used = new Set(exprs.flatMap((expr) => readQuery(expr, known).metrics))
  const isUsed = (name: string) => used.has(name) || ['bucket', 'sum', 'count'].some((part) => used.has(`${name}_${part}`))
  expect(METRICS.map(({ name }) => name).filter((name) => !isUsed(name))).toEqual([])
  expect(Object.keys(COUNTERS_AS_THEY_ARE).filter((name) => !used.has(name))).toEqual([])
  expect(RECORDED.map(({ record }) => record).filter((name) => !used.has(name))).toEqual([])
})

describe('rules', () => {
  test.each([...rules, ...RECORDED.map(({ record, expr }) => ({ name: record, expr }))])('$name is sound PromQL', ({ expr }) => {
    expect(readQuery(expr, known).faults).toEqual([])
  })

  test.each(rules)('$name says what is, with the value where there is one', ({ alert, summary, description, for: lasting }) => {
    expect(summary).toMatch(/^[A-Z].{8,}\.$/)
    expect(lasting).toMatch(/^\d+[mh]$/)
    expect(description.includes('{{ $value') || alert === 'CtrGone').toBe(true)
  })

  test.each(rules)('labels in the description of $name are labels of its expression', ({ expr, description }) => {
    const { labels } = readQuery(expr, known)
    const named = [...description.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label)
    expect(named.filter((label) => !labels.has(label))).toEqual([])
  })

  test('series of their cases are metrics with their labels', () => {
    const cases = rules.flatMap(({ fires, quiet }) => [...Object.keys(fires.series), ...Object.keys(quiet.series)])
    const faults = cases.flatMap((series) => readQuery(series, known).faults.filter((fault) => !fault.startsWith('counter ')))
    expect(faults).toEqual([])
  })

  test('an alert has one name', () => {
    const names = ALERTS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names.filter((name) => !/^Ctr[A-Z][A-Za-z]+$/.test(name))).toEqual([])
  })

  test('inhibitions speak of alerts that there are', () => {
    const names = new Set(ALERTS.map(({ name }) => name))
    const spoken = INHIBITIONS.flatMap(({ source, targets }) => [source, ...targets])
    expect(spoken.filter((name) => !names.has(name))).toEqual([])
  })

  test('a fresh window is one that a bucket ends at, and more than the default delay', () => {
    expect(EMIT_DELAY_BOUNDS).toContain(FRESH_SECONDS)
    const { time } = loadConfig({ file: temporaryFile(''), env: {} })
    expect(FRESH_SECONDS).toBeGreaterThan((2 * time.outOfOrderness) / 1000)
    expect(OBJECTIVES.map(budgetOf)).toEqual([0.01, 0.001])
  })
})

describe('the runbook', () => {
  const text = readFileSync(join(ROOT, RUNBOOK_FILE), 'utf8')

  test.each(ALERTS)('has what the link of $name leads to', ({ name, runbook }) => {
    const [file, anchor] = runbookUrl(name).split('#')
    expect(file).toBe(RUNBOOK_FILE)
    const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading = '']) => heading.toLowerCase())
    expect(headings).toContain(anchor)
    for (const part of [runbook.means, runbook.notice, runbook.ends, ...runbook.commands]) expect(part.length).toBeGreaterThan(10)
  })

  test('its commands are verbs of the engine', () => {
    const verbs = new Set(createProgram(() => {}).commands.map((command) => command.name()))
    const named = [...text.matchAll(/npx ctr (\w+)/g)].map(([, verb = '']) => verb)
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((verb) => !verbs.has(verb))).toEqual([])
  })
})

describe('dashboards', () => {
  /** Grafana's ids of units. */
  const UNITS = ['short', 'percentunit', 's', 'bytes', 'evps', 'wps', 'ops']

  test.each(panels)('$name has a unit and says what it shows', ({ panel }) => {
    expect(UNITS).toContain(panel.unit)
    expect(panel.description).toMatch(/^[A-Z].{20,}\.$/)
    expect(panel.targets.length).toBeGreaterThan(0)
  })

  test.each(panels)('$name is sound PromQL, of the chosen job and processes', ({ panel }) => {
    for (const { expr, legend } of queries(panel)) {
      const { faults, selectors, labels } = readQuery(expr, known)
      expect(faults, expr).toEqual([])
      const open = selectors.filter(({ metric, matched }) => {
        const wanted =
          known.get(metric)?.labels.includes('instance') === true && metric !== 'ALERTS'
            ? ['namespace', 'job', 'instance']
            : ['namespace', 'job']
        return wanted.some((label) => !matched.includes(label))
      })
      expect(open, expr).toEqual([])
      const named = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
      expect(named.filter((label) => !labels.has(label))).toEqual([])
    }
  })

  test.each(panels)('$name asks ClickHouse for one tenant', ({ panel }) => {
    for (const target of panel.targets) if (isSql(target)) expect(target.sql).toContain(`tenant = \${tenant:sqlstring}`)
  })

  test.each(DASHBOARDS)('$uid names no data source, and its panels do not overlap', (dashboard) => {
    const json = grafanaJson(dashboard) as { panels: { title: string; gridPos: { x: number; y: number; w: number; h: number } }[] }
    const sources = [...JSON.stringify(json).matchAll(/"datasource":\{"type":"[^"]+","uid":"([^"]+)"/g)].map(([, uid]) => uid)
    expect(sources.length).toBeGreaterThan(10)
    expect(sources.filter((uid) => uid !== `\${datasource}` && uid !== `\${clickhouse}`)).toEqual([])
    const taken = new Set<string>()
    for (const { title, gridPos } of json.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x}/${y}`), title).toBe(false)
          taken.add(`${x}/${y}`)
        }
    }
  })
})

test('every input of Vector is a source or transform of its file', () => {
  for (const name of ['vector-loki.yml', 'vector-elasticsearch.yml']) {
    const file = parse(monitoringFiles().get(name) ?? '') as Record<
      'sources' | 'transforms' | 'sinks',
      Record<string, { inputs?: string[] }>
    >
    const there = [...Object.keys(file.sources), ...Object.keys(file.transforms)]
    const asked = [...Object.values(file.transforms), ...Object.values(file.sinks)].flatMap(({ inputs = [] }) => inputs)
    expect(asked.length).toBeGreaterThan(1)
    expect(asked.filter((input) => !there.includes(input))).toEqual([])
  }
})
