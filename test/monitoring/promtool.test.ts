/** The rules and configurations, by the tools of those who read them: promtool and amtool. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { monitoringFiles } from '../../src/monitoring/files.ts'
import { prometheusFile } from '../../src/monitoring/prometheus.ts'
import { runTool } from '../../workshop/prometheus.ts'
import { ruleCases, rulesAlone, TRIED_RULES, type TriedRule } from '../support/rule-cases.ts'
import { mutantsOf } from '../support/rule-mutations.ts'

const folder = mkdtempSync(join(tmpdir(), 'ctr-monitoring-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
for (const [name, text] of monitoringFiles()) {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), text)
}

/** Mutants that no case can tell from the rule, and why. */
const SURVIVE: Readonly<Record<string, readonly string[]>> = {
  // What falls back by half a second a second is not between the two for as long as the rule waits.
  CtrWatermarkStuck: ['180 for 300 at 28'],
}

test('promtool takes the rules', () => {
  expect(runTool('promtool', ['check', 'rules', '--lint-fatal', 'rules.yml'], folder)).toMatch(/SUCCESS: \d+ rules found/)
})

test('promtool takes the configuration of Prometheus, and amtool that of Alertmanager', () => {
  // Debian builds Prometheus without Kubernetes' discovery: all but that is checked.
  const discovery = { static_configs: [{ targets: ['127.0.0.1:1'] }] }
  const here = prometheusFile({ discovery, alertmanager: '127.0.0.1:2', every: '15s' })
  writeFileSync(join(folder, 'prometheus-here.yml'), stringify(here))
  expect(runTool('promtool', ['check', 'config', 'prometheus-here.yml'], folder)).toContain('SUCCESS')
  writeFileSync(
    join(folder, 'alertmanager-here.yml'),
    (monitoringFiles().get('alertmanager.yml') ?? '').replaceAll('/etc/alertmanager/*', `${folder}/ctr`),
  )
  expect(runTool('amtool', ['check-config', 'alertmanager-here.yml'], folder)).toMatch(/SUCCESS[\s\S]*1 templates/)
})

test('who hears of what: critical pages, warning goes to the chat, info by mail', () => {
  const route = (severity: string) =>
    runTool(
      'amtool',
      ['config', 'routes', 'test', '--config.file=alertmanager-here.yml', `severity=${severity}`, 'alertname=CtrDown'],
      folder,
    )
  expect(['critical', 'warning', 'info'].map((severity) => route(severity).trim())).toEqual(['page', 'chat', 'mail'])
})

test('what people read is what the templates make of it', () => {
  const alert = {
    status: 'resolved',
    startsAt: '2026-01-02T03:04:05Z',
    endsAt: '2026-01-02T03:14:05Z',
    annotations: { description: 'It was so.', runbook_url: 'docs/runbook.md#ctrdown' },
  }
  const labels = { alertname: 'CtrDown', instance: 'ctr-0:9464' }
  const data = { status: 'resolved', alerts: [alert], commonLabels: labels, commonAnnotations: { summary: 'It does not answer.' } }
  writeFileSync(join(folder, 'data.json'), JSON.stringify(data))
  const render = (name: string) =>
    runTool(
      'amtool',
      ['template', 'render', '--template.glob=ctr.tmpl', '--template.data=data.json', `--template.text={{ template "${name}" . }}`],
      folder,
    )
  expect(render('ctr.title').trim()).toBe('over: CtrDown on ctr-0:9464: It does not answer.')
  expect(render('ctr.text').trim().split('\n')).toEqual([
    'It was so.',
    'since 2026-01-02 03:04:05 UTC until 03:14:05',
    'what to do: docs/runbook.md#ctrdown',
  ])
})

/** Writes a rule and its cases; the name of the file of cases. */
function writeCases(name: string, tried: TriedRule, rule = tried.rule): string {
  const file = `cases-${name}.yml`
  writeFileSync(join(folder, `alone-${name}.yml`), stringify(rulesAlone(tried.alert, rule), { lineWidth: 0 }))
  writeFileSync(join(folder, file), stringify(ruleCases(tried, `alone-${name}.yml`), { lineWidth: 0 }))
  return file
}

test.each(TRIED_RULES)('$name fires in its case, not before its time, and stays quiet in its near misses', (tried) => {
  expect(runTool('promtool', ['test', 'rules', writeCases(tried.name, tried)], folder)).toContain('SUCCESS')
})

test.each(TRIED_RULES)('another bound of $name, a clause less, or no waiting fails one of its cases', (tried) => {
  const { name, alert, rule } = tried
  // The rules of a reason differ in the reason alone.
  if (alert.rules.indexOf(rule) > 0 && alert.name === 'CtrDegraded') return
  const survived = mutantsOf(rule).filter((mutant, i) => fine(writeCases(`${name}-mutant-${i}`, tried, mutant.rule)))
  expect(survived.map(({ what }) => what)).toEqual(SURVIVE[name] ?? [])
})

function fine(file: string): boolean {
  try {
    runTool('promtool', ['test', 'rules', file], folder)
    return true
  } catch (error) {
    expect(String(error)).toContain('FAILED:')
    return false
  }
}

test('a case that expects something else fails', () => {
  const [first] = TRIED_RULES
  const file = writeCases('wrong', first!)
  const text = readFileSync(join(folder, file), 'utf8')
  for (const [said, instead] of [
    ['up = 0', 'up = 1'],
    ['severity: critical', 'severity: warning'],
    ['eval_time: 6m', 'eval_time: 4m'],
  ] as const) {
    expect(text).toContain(said)
    writeFileSync(join(folder, file), text.replace(said, instead))
    expect(fine(file), instead).toBe(false)
  }
})
