import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { nodeEnvironment } from '../harness/node-environment.ts';

const run = promisify(execFile);
const script = fileURLToPath(new URL('../chaos/run-chaos.ts', import.meta.url));

test('a short run of faults loses, repeats, reorders, leaves out and leaks nothing', async () => {
  const told = await run(process.execPath, [script, '--seed', '11', '--seconds', '12'], {
    env: nodeEnvironment,
  }).catch((error: { stdout: string; stderr: string }) => error);
  expect(told.stdout, told.stdout + told.stderr).toMatch(/\b0 violations\n$/);
  expect(Number(/(\d+) sends/.exec(told.stdout)![1])).toBeGreaterThan(100);
}, 300_000);
