import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['server/src/**/*.test.ts', 'tests/**/*.test.ts', 'tools/**/*.test.ts', 'bench/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Servers are started and killed by the dozen on two cores: one of them may come too late once. Twice is a fault.
    retry: process.env['CI'] === undefined ? 0 : 1,
    globalSetup: ['server/src/platform/testing/global-setup.ts'],
  },
})
