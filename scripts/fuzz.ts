/**
 * Feeds the shipped engine random and hostile texts: `npm run fuzz -- --count 100000 --seed 1 [--longest 65536]`. Prints their
 * outcomes, the slowest texts and the threads that were lost. Fails if an answer breaks a guarantee of the engine.
 * The same seed makes the same texts. `--show` prints the beginnings of the slowest texts, which may be offensive.
 */
import { parseArgs } from 'node:util';
import { fuzzEngine } from '../test/fuzz/fuzz-engine.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    longest: { type: 'string', default: '65536' },
    show: { type: 'boolean', default: false },
  },
});
const [count, seed, longestMax] = [values.count, values.seed, values.longest].map(Number);
if (![count, seed, longestMax].every((each) => Number.isSafeInteger(each) && each! > 0)) {
  process.stderr.write('--count, --seed and --longest take whole numbers above 0\n');
  process.exit(1);
}

const startedMs = performance.now();
const report = await fuzzEngine({
  count: count!,
  seed: seed!,
  longestMax: longestMax!,
  onProgress: (done) => {
    if (done % 10_000 === 0)
      process.stdout.write(`${done} texts, ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n`);
  },
});
const { texts, outcomes, wrong, lostThreads, slowest } = report;
process.stdout.write(`\n${texts} texts of seed ${seed}, up to ${longestMax} UTF-16 units\n`);
for (const [outcome, times] of Object.entries(outcomes)) process.stdout.write(`  ${outcome.padEnd(8)} ${times}\n`);
process.stdout.write(
  `  threads replaced: ${lostThreads.length} ${lostThreads.join(' ')}\n  slowest on their thread:\n`,
);
for (const { kind, length, milliseconds, text } of slowest) {
  const beginning = values.show ? ` ${JSON.stringify(text.slice(0, 60))}` : '';
  process.stdout.write(`    ${milliseconds.toFixed(2).padStart(8)} ms  ${kind}, ${length} units${beginning}\n`);
}
for (const each of wrong.slice(0, 20)) process.stdout.write(`  ✗ ${each}\n`);
process.stdout.write(`  wrong answers: ${wrong.length}\n`);
process.exitCode = wrong.length === 0 ? 0 : 1;
