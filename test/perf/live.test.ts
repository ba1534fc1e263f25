import { expect, test } from 'vitest'
import { sumOf } from '../../perf/samples.ts'
import { SCENARIOS } from '../../perf/scenarios.ts'
import { GENERATE_DEFAULTS } from '../../src/load/generate.ts'
import { renderPage } from '../../workshop/report-page.ts'

test('a metric is summed over its labels, and no other that begins like it', () => {
  const text = '# HELP a_total x\na_total{topic="i"} 3\na_total{topic="c"} 4.5\na_total_more 100\nb 7\n'
  expect([sumOf(text, 'a_total'), sumOf(text, 'b'), sumOf(text, 'c')]).toEqual([7.5, 7, 0])
})

test.each(Object.entries(SCENARIOS))('the load of %s lasts as long as it should, and no event of it is late', (_, { phases, defaults }) => {
  const planned = phases(defaults)
  const events = planned.reduce((sum, { rate, seconds, count }) => sum + (count ?? rate * seconds), 0)
  expect(events).toBeGreaterThanOrEqual(defaults.rate * defaults.seconds)
  if (planned.every(({ count }) => count === undefined))
    expect(planned.reduce((sum, { seconds }) => sum + seconds, 0)).toBeCloseTo(defaults.seconds, 6)
  for (const { generate } of planned) {
    const { disorderMs, lateShare, invalidShare } = { ...GENERATE_DEFAULTS, ...generate }
    expect([disorderMs <= 5000, lateShare, invalidShare]).toEqual([true, 0, 0])
  }
})

test('a page holds its charts and needs no network', () => {
  const page = renderPage({
    title: 'a & b',
    place: '2 < 4 cores',
    figures: [['events', '1,000']],
    charts: [{ title: '</script>', unit: 'MiB', x: [0, 1], y: [2, 3] }],
  })
  expect(page).toContain('<h1>a &amp; b</h1><p>2 &lt; 4 cores</p>')
  expect(page).toContain('"x":[0,1],"y":[2,3]')
  expect(page).toContain('uPlot')
  expect(page.split('</script>')).toHaveLength(3)
  expect(page).not.toMatch(/(?:src|href)=|@import|url\(/)
})
