import { defineConfig } from 'vitest/config'
import { ownCacheFolder } from './bin/own-folder.js'
import LongestFirst from './test/support/longest-first.ts'
import { suitesOf } from './test/support/suites.ts'

// As bin/ctr.js does it: compiled code is kept for the next process, which saves half the CPU of a start. Test files, engines and threads
// inherit it.
process.env.NODE_COMPILE_CACHE ||= ownCacheFolder('compiled') ?? ''

const { unit, alone, servers, monitoring, browser } = suitesOf(import.meta.dirname)
// One plain broker and one ClickHouse for the whole run; tests that break theirs start their own.
const globalSetup = ['test/support/servers-setup.ts']

export default defineConfig(({ mode }) => ({
  test: {
    reporters: ['default', './test/support/slowest-reporter.ts'],
    // How often tests of random input repeat themselves (test/support/effort.ts).
    provide: { effort: mode === 'unit' || mode === 'long' ? mode : 'all' },
    setupFiles: ['test/support/coverage-setup.ts'],
    sequence: { sequencer: LongestFirst },
    pool: 'forks',
    // One more than the cores of a small machine: tests of servers wait for much of their time.
    maxWorkers: 3,
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // Node runs the TypeScript itself, as it does in production.
    experimental: { viteModuleRunner: false },
    projects: [
      { extends: true, test: { name: 'unit', include: [...unit], isolate: false } },
      { extends: true, test: { name: 'alone', include: [...alone] } },
      { extends: true, test: { name: 'servers', include: [...servers], globalSetup } },
      ...(mode === 'ui' ? [{ extends: true as const, test: { name: 'browser', include: [...browser], globalSetup } }] : []),
      ...(mode === 'monitoring' ? [{ extends: true as const, test: { name: 'monitoring', include: [...monitoring], globalSetup } }] : []),
    ],
  },
}))
