/** `ctr top` as text: what a screen of a size shows, and what keys make of it. */
import stringWidth from 'string-width'
import { describe, expect, test } from 'vitest'
import { API_ANSWERS, type ApiName } from '../../src/server/api-schemas.ts'
import { progressLine } from '../../src/top/progress-line.ts'
import { bar, sparkline } from '../../src/top/spark.ts'
import { FIRST_CHOICE, pressed, TOP_KEYS, type TopChoice } from '../../src/top/top-keys.ts'
import { type TopAnswers, topTable } from '../../src/top/top-lists.ts'
import { renderAttached, renderTop, topLine } from '../../src/top/top-screen.ts'
import { TopSource } from '../../src/top/top-source.ts'
import { engineAnswers, HOSTILE_IDS } from '../support/engine-answers.ts'

const NOW = Date.UTC(2026, 0, 1, 12)
const api = engineAnswers({ partitions: 8, products: ['p-1', 'p-2', 'rare', ...HOSTILE_IDS], now: () => NOW })
const list = { limit: 100, search: '', minImpressions: 0 }
const ANSWERS = {
  state: await api.state({}),
  history: await api.history({ span: '15m' }),
  partitions: await api.partitions({}),
  products: await api.products({ by: 'impressions', span: '1h', ...list }),
  letters: await api.deadLetters({}),
} as TopAnswers
const SIZE = { columns: 80, rows: 24 }

const screen = (choice: Partial<TopChoice> = {}, answers = ANSWERS, size = SIZE, error = '') =>
  renderTop(answers, { choice: { ...FIRST_CHOICE, ...choice }, error }, size, false)

test('the made-up engine answers as the API does', async () => {
  const asked: Partial<Record<ApiName, object>> = {
    history: { span: '6h' },
    partitions: { topic: 'clicks', partition: 0 },
    products: { by: 'ctr', span: '1h', ...list },
    product: { id: 'p-1', limit: 1 },
  }
  for (const name of Object.keys(API_ANSWERS) as ApiName[]) {
    const answer = await (api[name] as (query: object) => unknown)(asked[name] ?? {})
    expect(API_ANSWERS[name].safeParse(answer).error?.issues ?? [], name).toEqual([])
  }
})

describe('the screen', () => {
  test.each([
    [80, 24],
    [40, 10],
    [200, 60],
    [81, 25],
    [20, 3],
  ])('fills %i × %i exactly, whatever is shown', (columns, rows) => {
    for (const choice of [{}, { list: 'products' }, { list: 'letters' }, { list: 'threads' }, { help: true }, { typing: true }] as const) {
      const lines = screen(choice, ANSWERS, { columns, rows })
      expect(lines).toHaveLength(rows)
      expect(Math.max(...lines.map((line) => stringWidth(line)))).toBeLessThanOrEqual(columns)
    }
  })

  test('says first how it is, and what stands out in the list is at its top', () => {
    const lines = screen()
    expect(lines[0]).toContain('ctr-test · running · 4 tasks · up 2 h 0 min · 2026-01-01 12:00:00 UTC')
    expect(lines[1]).toContain('✓ It runs well: 10,234 events/s')
    const head = lines.findIndex((line) => line.includes('partition '))
    expect(lines[head + 1]).toMatch(/clicks\/0 .* 1 min 29 s +HOLDS/)
    expect(lines[head + 2]).toMatch(/clicks\/1 +123,456/)
    expect(lines.at(-1)).toContain('[1 partitions]')
  })

  test('tells a cause with its duration, its trend and its remedy, on a screen of 80 columns', () => {
    const diagnosis = {
      cause: 'clickhouse',
      subject: '',
      severity: 'critical' as const,
      sentence:
        'ClickHouse takes no rows, and everything before it waits: ' +
        'clickhouse.url: http://10.0.0.1:8123 does not answer (connect ECONNREFUSED).',
      remedy: 'Check that it runs and can be reached.',
      since: new Date(NOW - 65_000).toISOString(),
      trend: 'worse' as const,
      others: [],
    }
    const text = screen({}, { ...ANSWERS, state: { ...ANSWERS.state!, diagnosis } }).join('\n')
    expect(text.replaceAll(/\s+/g, ' ')).toContain('does not answer (connect ECONNREFUSED). For 1 min 5 s, getting worse.')
    expect(text).toContain('→ Check that it runs and can be reached.')
  })

  test('shows no control character of a product’s id', () => {
    const text = screen({ list: 'products' }, ANSWERS, { columns: 120, rows: 40 }).join('\n')
    expect(text).toContain('<img src=x onerror')
    expect(['\u001b', '\u202e', '\u2066'].filter((control) => text.includes(control))).toEqual([])
  })

  test('is whole before anything was answered, and when nothing is any more', () => {
    const nothing = { state: undefined, history: undefined, partitions: undefined, products: undefined, letters: undefined }
    expect(screen({}, nothing).join('\n')).toContain('not asked yet')
    expect(screen({}, ANSWERS, SIZE, 'it does not answer').join('\n')).toContain('✕ it does not answer')
  })

  test('marks that it is paused', () => {
    expect(screen({ paused: true })[0]).toContain('PAUSED')
  })
})

describe('the view below a log', () => {
  const view = (columns: number, rows: number, state: object = {}, drawn: object = {}) => {
    const answers = { ...ANSWERS, state: { ...ANSWERS.state!, ...state } }
    return renderAttached(answers, { choice: FIRST_CHOICE, error: '', ...drawn }, { columns, rows }, false)
  }

  test.each([
    [80, 24, 15, ['in 6.0 s', 'clicks/1', 'q close view']],
    [30, 18, 11, ['in 6.0 s', 'clicks/0', 'q close view']],
    [200, 50, 30, ['in 6.0 s', 'clicks/1', 'q close view', 'reason', 'NOT_JSON']],
  ])('leaves the log room at %i × %i, and has what matters', (columns, rows, height, words) => {
    const lines = view(columns, rows)
    expect(lines).toHaveLength(height + 1)
    expect(lines[0]).toBe('')
    expect(Math.max(...lines.map((line) => stringWidth(line)))).toBeLessThanOrEqual(columns)
    for (const word of words) expect(lines.join('\n')).toContain(word)
  })

  test('counts down to the next rows, with a bar of how much of their window has passed', () => {
    expect(view(80, 24).find((line) => line.includes('next rows'))).toMatch(/next rows {2}in 6\.0 s {4}█+[▏▎▍▌▋▊▉]?/)
    expect(view(80, 24, { nextWindow: null }).find((line) => line.includes('next rows'))).toMatch(/next rows {2}-$/)
  })

  test('says what is under way in place of its keys, and which keys are other than those of ctr top', () => {
    expect(view(80, 24, {}, { note: 'stopping: one moment' }).at(-1)).toBe(' stopping: one moment'.padEnd(80))
    const help = view(80, 24, {}, { choice: { ...FIRST_CHOICE, help: true } }).join('\n')
    expect(help).toMatch(/q +close the view; the run goes on/)
    expect(help).not.toContain('q, Ctrl-C')
  })

  test('breaks a long sentence of wide characters where they have no more room', () => {
    const diagnosis = { ...ANSWERS.state!.diagnosis, sentence: '漢字 '.repeat(12).trim() }
    const lines = view(30, 40, { diagnosis })
    expect(lines.slice(2, 5).map((line) => line.trim())).toEqual(['✓ 漢字 漢字 漢字 漢字 漢字', '漢字 漢字 漢字 漢字 漢字', '漢字 漢字'])
  })
})

describe('answers', () => {
  test('that come together are all kept, and each is asked for as often as it is worth', async () => {
    const asked: string[] = []
    const source = new TopSource(async (part) => {
      asked.push(part)
      return ANSWERS[part]
    })
    await source.look('partitions', 80, 0)
    expect(source.answers).toEqual({ ...ANSWERS, products: undefined, letters: undefined })
    await source.look('partitions', 80, 400)
    expect(asked).toEqual(['state', 'history', 'partitions', 'state'])
    await source.look('partitions', 150, 401)
    expect(asked.slice(4)).toEqual(['letters'])
  })

  test('that do not come leave the last ones, and say why', async () => {
    let fails = false
    const source = new TopSource(async (part) => {
      if (fails) throw new Error(`no ${part}`)
      return ANSWERS[part]
    })
    await source.look('partitions', 80, 0)
    fails = true
    await source.look('partitions', 80, 10_000)
    expect([source.error, source.answers.state]).toEqual(['no state', ANSWERS.state])
  })
})

describe('a line of progress', () => {
  const line = (columns: number, share?: number) =>
    progressLine({ what: 'load', done: 1500, of: 3000, unit: 'events', share }, 10_000, 150, columns)

  test('has share, counts, rate and what is left, in exactly its columns', () => {
    expect(line(100).trimEnd()).toBe('load  ██████████           50 %  1,500 of 3,000 events  150/s  10.0 s left')
    expect(line(100, 0.25)).toContain('25 %  1,500 of 3,000 events  150/s  30.0 s left')
    for (const columns of [100, 30, 10]) expect(stringWidth(line(columns))).toBe(columns)
  })

  test('has the time that has passed where nobody knows how much there is', () => {
    expect(progressLine({ what: 'export', done: 7, unit: 'cells' }, 2000, undefined, 60).trimEnd()).toBe('export  7 cells  2.0 s')
    expect(progressLine({ what: 'verify', done: 0, of: 0 }, 2000, undefined, 60).trimEnd()).toBe('verify  0 of 0  2.0 s')
  })

  test('has a bar as wide as it is told', () => {
    expect([0, 0.5, 1, 7, -1].map((share) => bar(share, 3))).toEqual(['   ', '█▌ ', '███', '███', '   '])
    expect(bar(0.5, 0)).toBe('')
  })
})

describe('lists', () => {
  const names = (filter: string, sort: number, down: boolean) =>
    topTable(ANSWERS, 'products', filter, sort, down).rows.map(({ cells }) => cells[0])

  test('are sorted by any column, either way, and the columns go round', () => {
    expect(names('p-', 1, false)).toEqual(['p-2', 'p-1'])
    expect(names('p-', 1, true)).toEqual(['p-1', 'p-2'])
    expect(names('p-', 1 - 7, true)).toEqual(names('p-', 1, true))
    expect(topTable(ANSWERS, 'products', '', -1, true).sorted).toBe(6)
  })

  test('hold what all words of the filter are in', () => {
    expect(names('RARE', 0, true)).toEqual(['rare'])
    expect(names('p- nothing', 0, true)).toEqual([])
  })
})

describe('keys', () => {
  const after = (...keys: (string | { name: string })[]) =>
    keys.reduce<TopChoice | 'quit'>((choice, key) => {
      if (choice === 'quit') return choice
      return pressed(choice, typeof key === 'string' ? { text: key, name: key } : key)
    }, FIRST_CHOICE)

  test('choose a list, and begin it anew', () => {
    expect(after('s', '2')).toMatchObject({ list: 'products', sort: 0 })
    expect(after({ name: 'tab' }, { name: 'tab' }, { name: 'tab' }, { name: 'tab' })).toMatchObject({ list: 'partitions' })
  })

  test('sort, turn round, scroll and pause', () => {
    expect(after('s', 's', 'S', 'r')).toMatchObject({ sort: 1, down: false })
    expect(after({ name: 'down' }, 'j', { name: 'pagedown' }, { name: 'up' })).toMatchObject({ scroll: 11 })
    expect(after('k')).toMatchObject({ scroll: 0 })
    expect(after('p', ' ', 'p')).toMatchObject({ paused: true })
  })

  test('go into the filter while it is typed, q among them', () => {
    expect(after('/', 'q', 'x', { name: 'backspace' })).toMatchObject({ filter: 'q', typing: true })
    expect(after('/', 'a', { name: 'return' }, 's')).toMatchObject({ filter: 'a', typing: false, sort: 1 })
    expect(after('/', 'a', { name: 'escape' })).toMatchObject({ filter: '', typing: false })
  })

  test('show the help, and any key leaves it', () => {
    expect(after('?')).toMatchObject({ help: true })
    expect(after('?', 's')).toMatchObject({ help: false, sort: 0 })
    expect(TOP_KEYS.length).toBeGreaterThan(5)
  })

  test('quit, also while typing by Ctrl-C', () => {
    expect(after('q')).toBe('quit')
    expect(after('?', 'q')).toBe('quit')
    expect(pressed({ ...FIRST_CHOICE, typing: true }, { name: 'c', ctrl: true })).toBe('quit')
  })
})

test('a sparkline is as wide as asked, and as high as the most in it', () => {
  expect(sparkline([0, 1, 2, 4, 8], 5)).toBe(' ▁▂▄█')
  expect(sparkline([1, 1], 4)).toBe('  ██')
  expect(sparkline([null, null, 3, null, 6], 6)).toBe('   ▄·█')
  expect(sparkline([1, 3, 5, 7], 2)).toBe('▃█')
  expect(sparkline([], 3)).toBe('   ')
  expect(sparkline([1], 0)).toBe('')
  expect(sparkline([0.001, 1000], 2)).toBe('▁█')
})

test('without a terminal it is one line, and a failure is one too', () => {
  expect(topLine(ANSWERS, '')).toBe(
    '2026-01-01T12:00:00Z running: 10,234 events/s, lag 345, behind 300 ms, CTR 5.00 %, late 4,000, invalid 500, rows wait 12; ' +
      'ok: It runs well: 10,234 events/s, windows close 6.0 s behind now.',
  )
  expect(topLine({ ...ANSWERS, state: undefined }, 'no')).toBe('not answered: no')
})
