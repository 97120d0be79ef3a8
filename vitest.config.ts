import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import MixingSequencer from './test/harness/mixing-sequencer.ts';

const shared = {
  // Ends what hangs. Generous, since it must not fail what is merely slow on a busy machine.
  testTimeout: 120_000,
  hookTimeout: 240_000,
  // The same for a state that is waited for. What has a deadline of its own is asked by the order of events.
  expect: { poll: { timeout: 60_000, interval: 50 } },
  globals: false,
  setupFiles: ['src/database/connection/driver-fix.ts'],
};

/** Kinds of tests: beside the code without servers; on real servers; in a real browser. */
export default defineConfig({
  test: {
    // One more than processors, since some file always waits. All of them share one Postgres, so no more than four.
    maxWorkers: Math.min(4, availableParallelism() + 1),
    sequence: { sequencer: MixingSequencer },
    reporters: ['default', './test/harness/count-reporter.ts'],
    projects: [
      // Unit tests leave nothing behind, so their files share a process: a third of the processor time.
      { test: { ...shared, name: 'unit', isolate: false, include: ['src/**/*.test.ts', 'src/**/*.test.tsx'] } },
      {
        test: {
          ...shared,
          name: 'integration',
          include: ['test/**/*.test.ts'],
          exclude: ['test/browser/**', 'test/fault/**'],
          globalSetup: ['test/harness/global-setup.ts'],
        },
      },
      {
        test: {
          ...shared,
          name: 'fault',
          include: ['test/fault/**/*.test.ts'],
          globalSetup: ['test/harness/global-setup.ts'],
        },
      },
      {
        test: {
          ...shared,
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          globalSetup: ['test/harness/global-setup.ts'],
        },
      },
    ],
  },
});
