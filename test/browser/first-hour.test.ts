import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hosts, resolverRules, walkFirstHour } from '../harness/first-hour.ts';
import { openBrowser } from '../harness/page-visits.ts';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { freePort } from '../harness/ports.ts';

let browser: Browser;
let parley: ParleyProcess;
let dir: string;
let port: number;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'parley-hour-'));
  port = await freePort();
  // It has a host name of its own, so that it prints a setup link, and is reached on loopback only.
  const settings = { PARLEY_DATABASE_EMBEDDED_DIR: dir, PUBLIC_URL: `http://${hosts[3]}:${port}`, ...unhurried };
  [browser, parley] = await Promise.all([
    openBrowser([resolverRules]),
    startParley({ role: 'all', httpPort: port, settings }),
  ]);
});
afterAll(async () => {
  await browser.close();
  await parley.stop();
  await rm(dir, { recursive: true, force: true });
});

/** The walk types faster than the limits allow. */
const unhurried = { PARLEY_LIMITS_MESSAGES_PER_SECOND: '1000', PARLEY_LIMITS_MESSAGES_BURST: '1000' };
/** Screenshots are kept here, when it is set. */
const pictures = process.env.PARLEY_TEST_PICTURES;

test('the first hour at a host name, from the setup link on', async () => {
  const link = () => /http\S+\/#\/setup\?token=\S+/.exec(parley.output())?.[0];
  await expect.poll(link).toBeDefined();
  const origin = `http://${hosts[3]}:${port}`;
  await walkFirstHour({
    browser,
    origin,
    device: 'desktop',
    colorScheme: 'light',
    mark: 'a',
    setupLink: link(),
    pictures,
  });
});

for (const [host, device, colorScheme, mark] of [
  ['localhost', 'phone', 'dark', 'b'],
  ['127.0.0.1', 'desktop', 'dark', 'c'],
  ['127.0.0.2', 'phone', 'light', 'd'],
] as const)
  test(`the first hour at ${host}, on a ${device}, ${colorScheme}`, async () => {
    await walkFirstHour({ browser, origin: `http://${host}:${port}`, device, colorScheme, mark, pictures });
  });
