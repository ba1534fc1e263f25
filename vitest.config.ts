import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import LongestFirst from './test/support/longest-first.ts'
import { suitesOf } from './test/support/suites.ts'

// As bin/ctr.js does it: compiled code is kept for the next process, which saves half the CPU of a start. Test files, engines and threads
// inherit it.
process.env.NODE_COMPILE_CACHE ||= join(tmpdir(), 'node-compile-cache')

const { unit, alone, servers } = suitesOf(import.meta.dirname)

export default defineConfig(({ mode }) => ({
  test: {
    reporters: ['default', './test/support/slowest-reporter.ts'],
    // npm run test:unit repeats tests of random input less often (test/support/effort.ts).
    provide: { short: mode === 'short' },
    setupFiles: ['test/support/coverage-setup.ts'],
    sequence: { sequencer: LongestFirst },
    pool: 'forks',
    // Brokers, engines and worker threads share the cores of a small machine.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // Node runs the TypeScript itself, as it does in production.
    experimental: { viteModuleRunner: false },
    projects: [
      { extends: true, test: { name: 'unit', include: [...unit], isolate: false } },
      { extends: true, test: { name: 'alone', include: [...alone] } },
      // One plain broker and one ClickHouse for the whole run; tests that break theirs start their own.
      { extends: true, test: { name: 'servers', include: [...servers], globalSetup: ['test/support/servers-setup.ts'] } },
    ],
  },
}))
