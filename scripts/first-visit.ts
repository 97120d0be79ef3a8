/**
 * What a stranger sees: a fresh clone in an empty folder, one command, two people in a browser, a restart of the server.
 * `npm run first-visit [-- folder for screenshots]`; prints times and what was seen, and fails when something is missing.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';

const repository = fileURLToPath(new URL('..', import.meta.url));
const pictures = process.argv[2];
const folder = mkdtempSync(join(tmpdir(), 'parley-visit-'));
const clone = join(folder, 'parley');
const url = 'http://localhost:18930';
const settings = { PORT: '18930', PARLEY_PROCESSING_PORT: '18931' };
const began = performance.now();

function note(what: string, sinceMs?: number): void {
  const took = sinceMs === undefined ? '' : ` (${((performance.now() - sinceMs) / 1000).toFixed(2)} s)`;
  process.stdout.write(`${what}${took}\n`);
}

async function start(): Promise<ChildProcess> {
  const child = spawn('npm', ['start'], {
    cwd: clone,
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const startedMs = performance.now();
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on('data', (chunk: Buffer) => {
      const line = chunk.toString();
      if (!line.includes('Parley is ready at')) return;
      note(`printed: Parley is ready at ${url}`, startedMs);
      resolve();
    });
    child.once('exit', (code) => reject(new Error(`npm start ended with ${code}`)));
  });
  const page = await fetch(url);
  if (!page.ok || !(await page.text()).includes('<div id="app">')) throw new Error('no page');
  note('from the command to the first page', startedMs);
  return child;
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // The whole group: npm does not hand signals on.
  process.kill(-child.pid!, signal);
  return gone;
}

async function signUp(browser: Browser, name: string, colorScheme: 'light' | 'dark'): Promise<Page> {
  const page = await (
    await browser.newContext({ colorScheme, viewport: { width: colorScheme === 'dark' ? 420 : 1100, height: 720 } })
  ).newPage();
  page.on('dialog', () => {
    throw new Error('a script ran');
  });
  await page.goto(url);
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByLabel('Username').fill(name);
  await page.getByLabel('Email').fill(`${name}@example.org`);
  await page.getByLabel('Password').fill(`secret of ${name}`);
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByRole('button', { name: 'New room' }).waitFor();
  return page;
}

async function say(from: Page, text: string): Promise<void> {
  await from.getByLabel('Message', { exact: true }).fill(text);
  await from.getByRole('button', { name: 'Send' }).click();
}

async function take(page: Page, name: string): Promise<void> {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`) });
}

const log = (page: Page) => page.getByRole('log', { name: 'Messages' });

async function visit(browser: Browser, server: ChildProcess): Promise<ChildProcess> {
  const [ana, ben] = [await signUp(browser, 'ana', 'light'), await signUp(browser, 'ben', 'dark')];
  await ana.getByRole('button', { name: 'New room' }).click();
  await ana.getByLabel('Room name').fill('Garden');
  await ana.getByLabel('People').fill('ben');
  await ana.getByRole('button', { name: 'Create room' }).click();
  await ben.getByRole('link', { name: /Garden/ }).click();
  for (const [from, to, text] of [
    [ana, ben, 'from ana'],
    [ben, ana, 'from ben'],
  ] as const) {
    const sentMs = performance.now();
    await say(from, text);
    await log(to).getByText(text, { exact: true }).waitFor();
    const tookMs = performance.now() - sentMs;
    note(`"${text}" seen by the other: ${tookMs.toFixed(0)} ms`);
    if (tookMs > 1000) throw new Error('too slow');
  }
  await say(ana, 'the **plan**: https://example.org/roses');
  await log(ben).getByRole('link', { name: 'https://example.org/roses' }).waitFor();
  note(`Markdown and a link rendered: ${await log(ben).locator('.text strong').first().textContent()}`);
  await say(ben, '<script>alert(1)</script>');
  await log(ana).getByText('<script>alert(1)</script>').waitFor();
  note(`script elements in the messages: ${await log(ana).locator('script').count()}`);
  await say(ben, 'WINNER! You have won a FREE prize of $1000 cash, call 09061701461 now to claim');
  const refusal = ben.getByText(/Blocked by moderation/);
  await refusal.waitFor();
  note(`spam was refused with: ${await refusal.textContent()}`);
  await ana.reload();
  await log(ana).getByText('from ben', { exact: true }).waitFor();
  note(`after a reload ana sees ${await log(ana).getByRole('article').count()} messages`);
  await Promise.all([take(ana, 'ana'), take(ben, 'ben')]);
  await end(server, 'SIGKILL');
  await ana.getByText('Reconnecting').waitFor();
  await say(ana, 'written while the server was away');
  await take(ana, 'away');
  const next = await start();
  const readyMs = performance.now();
  await log(ben).getByText('written while the server was away').waitFor({ timeout: 60_000 });
  note('after the restart: the message written meanwhile arrived, once', readyMs);
  if ((await log(ben).getByText('written while the server was away').count()) !== 1) throw new Error('repeated');
  await take(ben, 'back');
  return next;
}

let server: ChildProcess | undefined;
let browser: Browser | undefined;
try {
  if (spawnSync('git', ['clone', '-q', repository, clone]).status !== 0) throw new Error('git clone failed');
  note('cloned into an empty folder', began);
  server = await start();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
  server = await visit(browser, server);
} finally {
  await browser?.close();
  if (server?.exitCode === null) await end(server, 'SIGTERM');
  rmSync(folder, { recursive: true, force: true });
}
