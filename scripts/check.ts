/**
 * Everything that is checked before a change lands: `npm run check`. All steps run; the last line counts the tests.
 *
 * The fault tests freeze and kill servers by the clock, so a busy machine can fail one that has nothing wrong. A test
 * file that failed is therefore run once more, by itself; what passes then is named in the report as unsteady, to be
 * looked into, and does not fail the check. `npm test` has no such mercy.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

interface Report {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** More files than this failing at once is no matter of timing: they are not run again. */
const filesRunAgainMax = 3;

const temporary = mkdtempSync(join(tmpdir(), 'parley-check-'));

const steps: readonly (readonly [string, readonly string[]])[] = [
  ['types', ['tsc', '--noEmit']],
  ['lint and format', ['biome', 'check', '--error-on-warnings']],
  ['protocol lint', ['buf', 'lint']],
  ['protocol format', ['buf', 'format', '--diff', '--exit-code']],
  ['generated code is in step', ['node', 'scripts/check-generated.ts']],
  ['unused code', ['knip']],
  ['moderation quality', ['node', 'scripts/evaluate/run-evaluate.ts', '--quick']],
];

const outcomes: (readonly [string, boolean, number])[] = [];

function step(name: string, run: () => boolean): void {
  process.stdout.write(`\n── ${name}\n`);
  const startedMs = performance.now();
  const passed = run();
  outcomes.push([name, passed, (performance.now() - startedMs) / 1000]);
}

function runs(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

for (const [name, [program = '', ...args]] of steps) step(name, () => runs(program, args));

let failed: string[] = [];
let passed = 0;
let unsteady: string[] = [];
step('tests', () => {
  const first = runTests([]);
  [passed, failed] = [first.passed, first.failed];
  if (first.files.length === 0 || first.files.length > filesRunAgainMax) return first.succeeded;
  process.stdout.write(`\n── failed files once more, by themselves: ${first.files.join(', ')}\n`);
  const again = runTests(first.files);
  unsteady = first.failed.filter((name) => !again.failed.includes(name));
  [passed, failed] = [passed + unsteady.length, again.failed];
  return again.succeeded;
});

process.stdout.write('\n');
for (const [name, succeeded, seconds] of outcomes)
  process.stdout.write(`${succeeded ? 'ok    ' : 'FAILED'}  ${name} (${seconds.toFixed(1)} s)\n`);
for (const name of unsteady) process.stdout.write(`UNSTEADY: failed among the others, passed by itself: ${name}\n`);
const broken = outcomes.filter(([name, succeeded]) => !succeeded && name !== 'tests').length;
process.exitCode = outcomes.every(([, succeeded]) => succeeded) ? 0 : 1;
process.stdout.write(`${passed} passed, ${failed.length + broken} failed\n`);
rmSync(temporary, { recursive: true, force: true });

interface TestRun {
  readonly succeeded: boolean;
  readonly passed: number;
  /** Names of tests; a file that could not even be loaded counts as one. */
  readonly failed: string[];
  /** Where they are; empty too when the run left no report. */
  readonly files: string[];
}

/** All tests, or those of some files. */
function runTests(files: readonly string[]): TestRun {
  const report = join(temporary, `tests-${files.length}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const succeeded = runs('node', ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...files]);
  try {
    const { numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
    const broken = testResults.filter(({ status }) => status === 'failed');
    const failedNames = broken.flatMap(({ name, assertionResults }) => {
      const names = assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
      return names.length > 0 ? names : [relative(process.cwd(), name)];
    });
    const at = broken.map(({ name }) => relative(process.cwd(), name));
    return { succeeded, passed: numPassedTests, failed: failedNames, files: at };
  } catch {
    return { succeeded: false, passed: 0, failed: ['the tests left no report'], files: [] };
  }
}
