/**
 * Makes the package that is published, in .cache/package: compiled, with the manifest's dependencies and without what a checkout needs
 * besides: development tools, the pinned Node, scripts. The checkout itself is private.
 *
 *   npm run package && npm pack ./.cache/package
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const INTO = join(ROOT, '.cache', 'package')
const ABOUT = ['name', 'version', 'description', 'license', 'type', 'bin', 'dependencies'] as const
/** Where there is an older Node, `npx` brings this one: see the README. */
const NODE_MIN = '>=24'
/** What a program may import: the types and schema of the configuration, and of dead letters. */
const EXPORTS = { './config': 'config/schema', './dead-letter': 'output/dead-letter' }

const compiled = spawnSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' })
if (compiled.status !== 0) process.exit(1)

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>
const exports = Object.entries(EXPORTS).map(([name, module]) => [name, { types: `./dist/${module}.d.ts`, default: `./dist/${module}.js` }])
const published = {
  ...Object.fromEntries(ABOUT.map((name) => [name, manifest[name]])),
  engines: { node: NODE_MIN },
  exports: { ...Object.fromEntries(exports), './package.json': './package.json' },
  publishConfig: { access: 'public', provenance: true },
}

rmSync(INTO, { recursive: true, force: true })
mkdirSync(join(INTO, 'bin'), { recursive: true })
for (const name of ['ctr.js', 'own-folder.js', 'embedded/package.json', 'embedded/package-lock.json']) {
  cpSync(join(ROOT, 'bin', name), join(INTO, 'bin', name))
}
cpSync(join(ROOT, 'dist'), join(INTO, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.map') })
for (const name of ['README.md', 'LICENSE', 'CHANGELOG.md']) cpSync(join(ROOT, name), join(INTO, name))
writeFileSync(join(INTO, 'package.json'), `${JSON.stringify(published, undefined, 2)}\n`)
process.stdout.write(`${INTO}\n`)
