import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const script = fileURLToPath(new URL('../chaos/run-chaos.ts', import.meta.url));

test('a short run of faults loses, repeats and reorders nothing', async () => {
  const { stdout } = await run(process.execPath, [script, '--seed', '11', '--seconds', '12'], {
    env: { PATH: process.env.PATH },
  });
  expect(stdout).toMatch(/\b0 violations\n$/);
  expect(Number(/(\d+) sends/.exec(stdout)![1])).toBeGreaterThan(100);
});
