import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // One plain broker for the whole run; tests that break theirs start their own.
    globalSetup: ['test/support/broker-setup.ts'],
    setupFiles: ['test/support/coverage-setup.ts'],
    pool: 'forks',
    // Brokers, engines and worker threads share the cores of a small machine.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 180_000,
    // Node runs the TypeScript itself, as it does in production.
    experimental: { viteModuleRunner: false },
  },
})
