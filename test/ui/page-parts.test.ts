/** What the page computes without a browser. */
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { API_QUERIES } from '../../src/server/api-queries.ts'
import type { ApiName } from '../../src/server/api-schemas.ts'
import { pageFiles } from '../../src/server/page-files.ts'
import { addressText, parseAddress, VIEWS, type ViewName, withParams } from '../../src/ui/address.ts'
import { dueOf, type Kept, question } from '../../src/ui/answers.ts'
import { chartsOf, newest, thinned } from '../../src/ui/chart-lines.ts'
import { EXPORTED, exportText, openExport } from '../../src/ui/export-file.ts'
import { onePartitionOf, questionsOf } from '../../src/ui/needs.ts'
import { filterRows, sortRows } from '../../src/ui/sorted-rows.ts'
import { lateBeyond, STOPS_SECONDS, stopOf, whatIf } from '../../src/ui/what-if.ts'
import { engineAnswers, HOSTILE_IDS } from '../support/engine-answers.ts'

const views = Object.keys(VIEWS) as ViewName[]

describe('the files of the page', () => {
  const files = pageFiles()

  test('take less than 150 KiB on the way, all together', () => {
    const bytes = [...files.values()].reduce((sum, { body }) => sum + gzipSync(body).length, 0)
    expect(bytes).toBeLessThan(150 * 1024)
    expect(bytes).toBeGreaterThan(40 * 1024)
  })

  test('import each other only, and all that is imported is there', () => {
    const imported = [...files].flatMap(([path, { body }]) => {
      if (path === 'uplot.js' || path === 'lit-html.js') return []
      return [...body.toString().matchAll(/(?:\bfrom|\bimport) '([^']+)'/g)].map((match) => match[1]!)
    })
    expect(imported.length).toBeGreaterThan(30)
    expect(imported.filter((from) => !from.startsWith('./') || !files.has(from.slice(2)))).toEqual([])
  })

  test('are all that the first one names, and no type, inline script or style is left', () => {
    const index = files.get('index.html')!.body.toString()
    const named = [...index.matchAll(/(?:src|href)="\/ui\/([^"]+)"/g)].map((match) => match[1]!)
    expect(named).toHaveLength(5)
    expect(named.filter((name) => !files.has(name))).toEqual([])
    expect(index).not.toMatch(/<style|style=|<script>| on\w+=|https?:/)
    const modules = [...files].filter(([path]) => path.endsWith('.js') && path !== 'uplot.js' && path !== 'lit-html.js')
    expect(modules.length).toBeGreaterThan(20)
    for (const [path, { body }] of modules) {
      const text = body.toString()
      expect(text, path).not.toMatch(/^import type|^(?:export )?interface /m)
      // The policy forbids attributes of style, and markup from text is how ids become elements.
      expect(text, path).not.toMatch(/ style=|innerHTML|unsafeHTML|insertAdjacentHTML|document\.write|\beval\(/)
    }
  })

  test('are in the image too', () => {
    const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
    const [script = ''] = /scripts\/[\w-]+\.js/.exec(JSON.parse(read('package.json')).scripts.build) ?? []
    expect(read('docker/Dockerfile')).toContain('RUN npm run build')
    for (const path of [script, 'tsconfig.ui.json']) {
      expect(read('docker/Dockerfile')).toContain(path)
      expect(read('.dockerignore')).toContain(`!${path}\n`)
    }
    const copied = ['index.html', 'page.css', 'icon.svg']
    for (const name of copied) expect(read(script)).toContain(`'${name}'`)
    expect(readdirSync(new URL('../../src/ui/', import.meta.url)).filter((name) => !name.endsWith('.ts'))).toEqual(copied.toSorted())
  })

  test('nothing of the folder is left out', () => {
    const here = readdirSync(new URL('../../src/ui/', import.meta.url)).map((name) => name.replace(/\.ts$/, '.js'))
    expect(here.filter((name) => !files.has(name))).toEqual([])
  })
})

describe('addresses', () => {
  test('lead back to what they were made of, whatever the id', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...views),
        fc.string({ unit: 'grapheme' }),
        fc.dictionary(fc.stringMatching(/^[a-z]+$/), fc.string({ minLength: 1 })),
        (view, id, params) => {
          expect(parseAddress(addressText({ view, id, params }))).toEqual({ view, id, params: { ...params } })
        },
      ),
    )
    for (const id of HOSTILE_IDS) expect(parseAddress(addressText({ view: 'products', id, params: {} })).id).toBe(id)
  })

  test('that nobody knows lead to the first view, and broken ones to what they can', () => {
    for (const fragment of ['', '#', '#/', '#/nothing', '#/constructor', '#/__proto__/x']) expect(parseAddress(fragment).view).toBe('now')
    expect(parseAddress('#/products/%E0%A4%A')).toMatchObject({ view: 'products', id: '%E0%A4%A' })
  })

  test('keep what is not changed', () => {
    const address = parseAddress('#/ledger?sort=read&down=1')
    expect(addressText(withParams(address, { minute: 'x' }))).toBe('#/ledger?sort=read&down=1&minute=x')
    expect(addressText(withParams(address, { sort: '', down: '' }))).toBe('#/ledger')
  })
})

describe('questions', () => {
  const PATHS: readonly [RegExp, ApiName][] = [
    [/^products\/([^?]+)/, 'product'],
    [/^dead-letters/, 'deadLetters'],
    [/^([a-z]+)/, 'state'],
  ]
  const refusalOf = (path: string) => {
    const name = (
      path.startsWith('products/') ? 'product' : path.startsWith('dead-letters') ? 'deadLetters' : /^[a-z]+/.exec(path)![0]
    ) as ApiName
    const id = PATHS[0]![0].exec(path)?.[1]
    const query = Object.fromEntries(new URLSearchParams(path.split('?')[1] ?? ''))
    return API_QUERIES[name].safeParse(id === undefined ? query : { ...query, id: decodeURIComponent(id) }).error?.issues ?? []
  }

  test.each(views)('of the view %s are those that the API takes, whatever its address says', (view) => {
    for (const params of ['', '?span=7d', '?span=1d&by=movers&search=%3C', '?span=nonsense&by=nonsense&sort=x']) {
      for (const id of ['', 'clicks/3', '<b>']) {
        const address = { ...parseAddress(`#/${view}${params}`), id }
        for (const { path } of questionsOf(address)) expect(refusalOf(path), path).toEqual([])
      }
    }
  })

  test('are all in an export, as far as they are about all and not about one', () => {
    const exported = new Set(EXPORTED.map(({ path }) => path))
    const wanted = views.flatMap((view) => questionsOf(parseAddress(`#/${view}`)).map(({ path }) => path))
    expect(wanted.filter((path) => !exported.has(path))).toEqual([])
    for (const { path } of EXPORTED) expect(refusalOf(path), path).toEqual([])
  })

  test('about a partition need its topic and its number', () => {
    expect(onePartitionOf(parseAddress('#/partitions/a%2Fb%2F3'))?.path).toBe('partitions?topic=a%2Fb&partition=3')
    expect(onePartitionOf(parseAddress('#/partitions/clicks'))).toBeUndefined()
  })

  test('are due when they were not asked, when their time is over, or when they failed', () => {
    const every = question('state', 1000)
    const once = question('config', 0)
    const kept = (askedAtMs: number, error = ''): Kept => ({ value: {}, error, askedAtMs })
    expect(dueOf([every, once], new Map(), 0)).toEqual([every, once])
    const answers = new Map([
      [every.path, kept(1000)],
      [once.path, kept(0)],
    ])
    expect(dueOf([every, once], answers, 1999)).toEqual([])
    expect(dueOf([every, once], answers, 2000)).toEqual([every])
    answers.set(once.path, kept(0, 'no'))
    expect(dueOf([every, once], answers, 1999)).toEqual([])
    expect(dueOf([once], answers, 5000)).toEqual([once])
  })
})

describe('an export', () => {
  const api = engineAnswers({ partitions: 4, products: ['p'], now: () => Date.UTC(2026, 0, 1, 12) })

  test('is read back as it was, but for what is older than an hour', async () => {
    const history = await api.history({ span: '6h' })
    const answers = new Map<string, unknown>([
      ['state', await api.state({})],
      ['history?span=6h', history],
    ])
    const { at, answers: read } = openExport(exportText(answers, new Date(Date.UTC(2026, 0, 1, 13))))
    expect(at).toBe('2026-01-01T13:00:00.000Z')
    expect(read.get('state')?.value).toEqual(answers.get('state'))
    const hour = read.get('history?span=6h')?.value as typeof history
    expect(hour?.from).toBe('2026-01-01T11:00:00.000Z')
    expect(hour?.series.ctr).toEqual(history?.series.ctr.slice(-360))
  })

  test.each([
    ['{', 'is no JSON'],
    ['[]', 'is no export of ctr'],
    ['null', 'is no export of ctr'],
    ['{"format":"ctr-export","version":2,"at":"2026-01-01T00:00:00Z","answers":{}}', 'has version 2'],
    ['{"format":"ctr-export","version":1,"answers":{}}', 'is not whole'],
    ['{"format":"ctr-export","version":1,"at":"never","answers":{}}', 'is not whole'],
  ])('that is none is refused: %s', (text, words) => {
    expect(() => openExport(text)).toThrow(words)
  })
})

describe('another lateness', () => {
  const lateness = { upperBounds: [1, 2, 4], counts: [100, 60, 20, 5] }
  const facts = { records: 1000, lateness, allowedSeconds: 2, openSeconds: 60, stateBytes: 6_000_000 }

  test('makes late what came beyond it; within a bucket in proportion', () => {
    expect(lateBeyond(lateness, 0)).toBe(185)
    expect(lateBeyond(lateness, 1)).toBe(85)
    expect(lateBeyond(lateness, 1.5)).toBe(55)
    expect(lateBeyond(lateness, 3)).toBe(15)
    // Of the last bucket nobody knows how late its events were.
    expect(lateBeyond(lateness, 1e9)).toBe(5)
  })

  test('never makes more late by being longer', () => {
    const histogram = fc.array(fc.nat(1000), { minLength: 4, maxLength: 4 }).map((counts) => ({ ...lateness, counts }))
    fc.assert(
      fc.property(histogram, fc.double({ min: 0, max: 10, noNaN: true }), fc.double({ min: 0, max: 10, noNaN: true }), (of, a, b) => {
        expect(lateBeyond(of, Math.max(a, b))).toBeLessThanOrEqual(lateBeyond(of, Math.min(a, b)) + 1e-9)
      }),
    )
  })

  test('costs as much more memory as windows stay open longer', () => {
    expect(whatIf(facts, 2)).toEqual({ lateRecords: 25, lateShare: 0.025, longerSeconds: 0, moreBytes: 0 })
    expect(whatIf(facts, 32)).toMatchObject({ longerSeconds: 30, moreBytes: 3_000_000 })
    expect(whatIf(facts, 0)).toMatchObject({ lateShare: 0.185, longerSeconds: -2, moreBytes: -200_000 })
    expect(whatIf({ ...facts, openSeconds: null, records: 0 }, 32)).toMatchObject({ lateShare: 0, moreBytes: null })
  })

  test('has a stop near each value', () => {
    for (const [i, stop] of STOPS_SECONDS.entries()) expect(stopOf(stop)).toBe(i)
    expect(STOPS_SECONDS[stopOf(1e9)]).toBe(604_800)
  })
})

test('rows are sorted either way, with what is not known last, and equal ones in their order', () => {
  const rows = [3, null, 1, 2, null, 1].map((n, i) => ({ n, i }))
  const order = (down: boolean) => sortRows(rows, ({ n }) => n, down).map(({ i }) => i)
  expect(order(false)).toEqual([2, 5, 3, 0, 1, 4])
  expect(order(true)).toEqual([0, 3, 2, 5, 1, 4])
  expect(sortRows(['clicks/10', 'clicks/9'], (name) => name, false)).toEqual(['clicks/9', 'clicks/10'])
  expect(filterRows(['clicks/1 idle', 'clicks/2', 'Impressions/1'], ' CLICKS  /1', (name) => name)).toEqual(['clicks/1 idle'])
})

test('charts have a time for each value, and marks within it', async () => {
  const api = engineAnswers({ partitions: 4, products: [], now: () => Date.UTC(2026, 0, 1, 12) })
  const charts = chartsOf((await api.history({ span: '15m' }))!)
  for (const { lines, timesSeconds, marks } of charts) {
    expect(lines.map(({ values }) => values.length)).toEqual(lines.map(() => timesSeconds.length))
    expect(lines.length).toBeLessThanOrEqual(3)
    expect(marks.map(({ kind }) => kind)).toEqual(['start', 'outage'])
  }
  expect(charts[0]?.timesSeconds.at(-1)).toBe(Date.UTC(2026, 0, 1, 12) / 1000 - 1)
  expect(thinned(10, 4)).toEqual([0, 3, 6, 9])
  expect(thinned(3, 12)).toEqual([0, 1, 2])
  expect(thinned(0, 12)).toEqual([])
  expect(newest([1, 2, null])).toBe(2)
  expect(newest([null])).toBeNull()
})
