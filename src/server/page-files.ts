/**
 * The files of the page at `/ui`, as they are sent: its modules, its style, and the two libraries that it stands on, from their packages.
 * In a checkout the modules are TypeScript still, and Node takes the types off. Nothing is bundled, so names of packages, and of modules
 * beside src/ui, become those of files beside the page.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire, stripTypeScriptTypes } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { StaticFile } from './static.ts'

const FOLDER = fileURLToPath(new URL('../ui/', import.meta.url))
/** Of `src/`, which the page uses too: pure functions, without imports of their own. */
const SHARED: readonly string[] = ['text', 'config/units']
const TYPES = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const

/** By their paths below `/ui/`; `index.html` is the page itself. Reads them anew: to be called once. */
export function pageFiles(): ReadonlyMap<string, StaticFile> {
  const files = new Map<string, StaticFile>()
  const put = (path: string, kind: keyof typeof TYPES, body: Buffer | string) =>
    files.set(path, { body: Buffer.from(body), type: TYPES[kind] })
  const read = (path: string) => readFileSync(path, 'utf8')
  for (const name of readdirSync(FOLDER)) {
    if (/\.(?:ts|js)$/.test(name) && !name.endsWith('.d.ts')) put(moduleName(name), 'js', moduleText(read(join(FOLDER, name)), name))
  }
  const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js'
  for (const path of SHARED) {
    const name = `${path}.${extension}`
    put(moduleName(basename(name)), 'js', moduleText(read(join(FOLDER, '..', name)), name))
  }
  put('index.html', 'html', read(join(FOLDER, 'index.html')))
  put('page.css', 'css', read(join(FOLDER, 'page.css')))
  put('icon.svg', 'svg', read(join(FOLDER, 'icon.svg')))
  const { resolve } = createRequire(import.meta.url)
  // Its browser's build lies above the one that Node gets.
  put('lit-html.js', 'js', withoutMap(read(join(resolve('lit-html'), '../../lit-html.js'))))
  put('uplot.js', 'js', read(resolve('uplot/dist/uPlot.iife.min.js')))
  put('uplot.css', 'css', read(resolve('uplot/dist/uPlot.min.css')))
  return files
}

function moduleName(file: string): string {
  return file.replace(/\.ts$/, '.js')
}

/** JavaScript whose imports are files beside it. */
function moduleText(text: string, file: string): string {
  const plain = file.endsWith('.ts') ? withoutTypes(text) : withoutMap(text)
  return plain.replaceAll(/(\bfrom|\bimport) '([^']+)'/g, (_, word: string, from: string) => {
    const name = from.startsWith('.') ? basename(from) : `${from}.js`
    return `${word} './${moduleName(name)}'`
  })
}

/** Node says each time that this is an experiment, which is of no use to who runs the engine from a checkout. */
function withoutTypes(text: string): string {
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    // What is left of types are spaces, and ends of lines.
    return stripTypeScriptTypes(text).replaceAll(/[ \t]+$/gm, '')
  } finally {
    process.emitWarning = emitWarning
  }
}

/** The source map is not served. */
function withoutMap(text: string): string {
  return text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n')
}
