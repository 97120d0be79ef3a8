/** Quick versions of the runs with many clients. The scripts print times; these tests do not check them. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { nodeEnvironment } from '../harness/node-environment.ts';

function run(script: string, ...args: string[]): Promise<string> {
  const path = fileURLToPath(new URL(`../chaos/${script}`, import.meta.url));
  return new Promise((resolve) =>
    execFile(process.execPath, [path, ...args], { env: nodeEnvironment }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    ),
  );
}

test('clients that all reconnect at once get everything that they missed', async () => {
  expect(await run('reconnect-storm.ts', '--clients', '100')).toMatch(/; 100 of 100 at head; 0 gaps;/);
}, 300_000);

test('readers that stop reading are disconnected, and get everything when they reconnect', async () => {
  expect(await run('stalled-readers.ts', '--readers', '20')).toMatch(/all back at the head, 0 gaps$/m);
}, 300_000);
