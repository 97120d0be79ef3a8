/** Every check that needs no server: `npm run check`. All steps run, then each is listed with its outcome. */
import { spawnSync } from 'node:child_process';

const steps: readonly (readonly [string, readonly string[]])[] = [
  ['types', ['tsc', '--noEmit']],
  ['lint and format', ['biome', 'check', '--error-on-warnings']],
  ['protocol lint', ['buf', 'lint']],
  ['protocol format', ['buf', 'format', '--diff', '--exit-code']],
  ['generated code is in step', ['node', 'scripts/check-generated.ts']],
  ['unused code', ['knip']],
  ['packages', ['node', 'scripts/build-packages.ts', '--check']],
  ['moderation quality', ['node', 'scripts/evaluate/run-evaluate.ts', '--quick']],
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
process.exitCode = outcomes.every(([, passed]) => passed) ? 0 : 1;
