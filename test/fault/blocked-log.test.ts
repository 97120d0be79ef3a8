import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const script = fileURLToPath(new URL('./chatty-process.ts', import.meta.url));

test('an output that is not read neither blocks the process nor fills its memory, and the log tells later what is missing', async () => {
  const child = fork(script, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  // 40,000 lines of 300 bytes; a pipe holds 64 kB.
  const [told] = (await once(child, 'message')) as [{ heapMb: number }];
  expect(told.heapMb).toBeLessThan(100);
  let written = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    written += chunk.toString('utf8');
  });
  await expect.poll(() => written.length).toBeGreaterThan(64 * 1024);
  expect(written.length).toBeLessThan(1_000_000);
  child.send('speak');
  await once(child, 'message');
  await expect.poll(() => written).toMatch(/log lines were dropped","dropped":\d{4,}/);
  expect(written).toContain('somebody reads');
});

test('a stopped terminal does not stop the process', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-terminal-'));
  const told = join(folder, 'told');
  const terminal = fileURLToPath(new URL('./chatty-terminal.ts', import.meta.url));
  // `script` runs it on a terminal of its own and passes its output on, which is not read.
  const command = [process.execPath, terminal, told].map((each) => `'${each}'`).join(' ');
  const child = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });
  await expect.poll(() => existsSync(told)).toBe(true);
  expect(readFileSync(told, 'utf8')).toBe('true');
});
