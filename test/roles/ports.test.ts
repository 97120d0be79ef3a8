/** Ports that are taken are noticed before anything is started, and the operator is told which setting it is. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { startParley } from '../harness/parley-process.ts';
import { freePort } from '../harness/ports.ts';
import { createDatabase } from '../harness/test-database.ts';

vi.setConfig({ testTimeout: 180_000 });

const run = promisify(execFile);
const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A port that another program listens at. */
async function takePort(host = '127.0.0.1', port = 0): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Starts on an empty folder. @returns what it said, and whether the database was begun */
async function failToStart(args: string[], env: Record<string, string>) {
  const dir = await mkdtemp(join(tmpdir(), 'parley-ports-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const settings = { ...nodeEnvironment, PARLEY_DATABASE_EMBEDDED_DIR: dir, ...env };
  const failed = await run(process.execPath, [entry, ...args], { env: settings }).then(
    () => ({ code: 0, stderr: '' }),
    (error: { code: number; stderr: string }) => error,
  );
  return { ...failed, isDatabaseBegun: existsSync(join(dir, 'postgres')) };
}

const oneLine = /^parley: [^\n]*\n$/;

test('a taken port stops the start before the database, with the setting, its origin and its value in one line', async () => {
  const port = await takePort();
  const byEnvironment = await failToStart([], { PORT: String(port) });
  expect(byEnvironment).toMatchObject({ code: 1, isDatabaseBegun: false, stderr: expect.stringMatching(oneLine) });
  expect(byEnvironment.stderr).toContain(`"http.port" from the environment (PORT) is ${port}`);
  expect(byEnvironment.stderr).toContain('set PORT');

  const byFlag = await failToStart(['--http.port', String(port)], {});
  expect(byFlag).toMatchObject({ code: 1, isDatabaseBegun: false });
  expect(byFlag.stderr).toContain(`"http.port" from the flag --http.port is ${port}`);
});

test.each([
  ['processing.port', 'PARLEY_PROCESSING_PORT'],
  ['metrics.port', 'PARLEY_METRICS_PORT'],
])('"%s" that was set and is taken stops the start as well', async (path, name) => {
  const port = await takePort();
  const failed = await failToStart([], { PORT: String(await freePort()), [name]: String(port) });
  expect(failed).toMatchObject({ code: 1, isDatabaseBegun: false, stderr: expect.stringMatching(oneLine) });
  expect(failed.stderr).toContain(`"${path}" from the environment (${name}) is ${port}`);
});

test('a port in a file is named with the file, and a port of every address covers one of them', async () => {
  const port = await takePort('127.0.0.1');
  const file = join(await mkdtemp(join(tmpdir(), 'parley-ports-')), 'parley.yaml');
  await writeFile(file, `http: { port: ${port}, host: 0.0.0.0 }\n`);
  const failed = await failToStart(['--config', file], {});
  expect(failed).toMatchObject({ code: 1, isDatabaseBegun: false });
  expect(failed.stderr).toContain(`"http.port" from ${file} is ${port}`);
});

test('two settings with one port are told apart from another program', async () => {
  const port = String(await freePort());
  const failed = await failToStart([], { PORT: port, PARLEY_METRICS_PORT: port });
  expect(failed).toMatchObject({ code: 1, isDatabaseBegun: false });
  expect(failed.stderr).toMatch(/"metrics.port" .*"http.port" has that port/);
});

test('an address that is not this machine’s is named as the host', async () => {
  const failed = await failToStart([], { HOST: '203.0.113.77', PORT: String(await freePort()) });
  expect(failed).toMatchObject({ code: 1, isDatabaseBegun: false, stderr: expect.stringMatching(oneLine) });
  expect(failed.stderr).toMatch(/"http.host" from the environment \(HOST\) is "203.0.113.77".*EADDRNOTAVAIL/);
});

test('a role of processing alone keeps to its port', async () => {
  const port = await takePort();
  const env = { DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none', PARLEY_PROCESSING_PORT: String(port) };
  const failed = await failToStart(['--role', 'processing'], env);
  expect(failed.stderr).toContain(`"processing.port" from the environment (PARLEY_PROCESSING_PORT) is ${port}`);
});

test('a second instance that was given a port of its own takes a free one for processing', async () => {
  // This test takes the default port, unless another process has it.
  await takePort('127.0.0.1', 8081).catch(() => undefined);
  const database = await createDatabase();
  const parley = await startParley({
    role: 'all',
    settings: { DATABASE_URL: database.url, PARLEY_PROCESSING_PORT: '' },
  });
  try {
    expect((await fetch(`${parley.url}/health/ready`)).status).toBe(200);
    expect(parley.output()).toContain('the processing port is in use');
  } finally {
    await parley.stop();
    await database.drop();
  }
});
