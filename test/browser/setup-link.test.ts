/** An operator follows the setup link in the page. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mailTo } from '../harness/mailbox.ts';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';

let browser: Browser;
let parley: ParleyProcess;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'parley-setup-'));
  [browser, parley] = await Promise.all([
    chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] }),
    startParley({ role: 'all', settings: { PARLEY_DATABASE_EMBEDDED_DIR: dir, HOST: '0.0.0.0' } }),
  ]);
});
afterAll(async () => {
  await browser.close();
  await parley.stop();
  await rm(dir, { recursive: true, force: true });
});

test('the setup link makes an admin, who reads the mailbox in the page, and is refused the second time', async () => {
  const linkIn = () => /http\S+\/#\/setup\?token=\S+/.exec(parley.output())?.[0];
  await expect.poll(linkIn).toBeDefined();
  const link = linkIn()!;
  const page = await (await browser.newContext()).newPage();
  await page.goto(link);
  await page.getByLabel('Username').fill('boss');
  await page.getByLabel('Email').fill('boss@example.org');
  await page.getByLabel('Password').fill('secret of the boss');
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByRole('button', { name: 'New room' }).waitFor();
  const kept = await page.evaluate(() => localStorage.getItem('parley.session'));
  expect(JSON.parse(kept!)).toMatchObject({ user: { username: 'boss', role: 'admin' } });
  await mailTo(parley.url, 'boss@example.org', /./);
  await page.goto(`${new URL(link).origin}/#/mailbox`);
  await page.getByRole('dialog', { name: 'Mailbox' }).getByText('To boss@example.org').waitFor();

  const other = await (await browser.newContext()).newPage();
  await other.goto(link);
  await other.getByLabel('Username').fill('late');
  await other.getByLabel('Email').fill('late@example.org');
  await other.getByLabel('Password').fill('secret of the late');
  await other.getByRole('button', { name: 'Sign up' }).click();
  await other.getByRole('alert').waitFor();
  await expect.poll(() => other.getByRole('alert').textContent()).toContain('Setup');
});
