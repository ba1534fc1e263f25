import { defineConfig } from 'vitest/config'

/** npm run test:chart: what takes Helm and an API server, which Go builds for minutes. The tests of `npm test` are not among them. */
export default defineConfig({
  test: {
    include: ['test/chart/*.chart.ts'],
    pool: 'forks',
    globalSetup: ['test/chart/programs-setup.ts'],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // Node runs the TypeScript itself, as it does in production.
    experimental: { viteModuleRunner: false },
  },
})
