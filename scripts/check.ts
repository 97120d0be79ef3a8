/** Everything that is checked before a change lands: `npm run check`. All steps run; the last line counts the tests. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly testResults: readonly { readonly name: string; readonly status: string; readonly message: string }[];
}

const temporary = mkdtempSync(join(tmpdir(), 'parley-check-'));
const report = join(temporary, 'tests.json');

const steps: readonly (readonly [string, readonly string[]])[] = [
  ['types', ['tsc', '--noEmit']],
  ['lint and format', ['biome', 'check', '--error-on-warnings']],
  ['protocol lint', ['buf', 'lint']],
  ['protocol format', ['buf', 'format', '--diff', '--exit-code']],
  ['generated code is in step', ['node', 'scripts/check-generated.ts']],
  ['unused code', ['knip']],
  ['moderation quality', ['node', 'scripts/evaluate/run-evaluate.ts', '--quick']],
  [
    'tests',
    [
      'node',
      'node_modules/vitest/vitest.mjs',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
  ],
];

const outcomes: (readonly [string, boolean, number])[] = [];
for (const [name, [program = '', ...args]] of steps) {
  process.stdout.write(`\n── ${name}\n`);
  const startedMs = performance.now();
  const { status } = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  outcomes.push([name, status === 0, (performance.now() - startedMs) / 1000]);
}

process.stdout.write('\n');
for (const [name, passed, seconds] of outcomes)
  process.stdout.write(`${passed ? 'ok    ' : 'FAILED'}  ${name} (${seconds.toFixed(1)} s)\n`);
const broken = outcomes.filter(([name, passed]) => !passed && name !== 'tests').length;
const { passed, failed } = countTests();
process.exitCode = broken === 0 && failed === 0 && outcomes.every(([, each]) => each) ? 0 : 1;
process.stdout.write(`${passed} passed, ${failed + broken} failed\n`);
rmSync(temporary, { recursive: true, force: true });

/** A file that could not even be loaded counts as one failed test. */
function countTests(): { passed: number; failed: number } {
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
    const unloaded = testResults.filter(
      ({ status, message }) => status === 'failed' && message !== '' && numFailedTests === 0,
    ).length;
    return { passed: numPassedTests, failed: numFailedTests + unloaded };
  } catch {
    return { passed: 0, failed: 1 };
  }
}
