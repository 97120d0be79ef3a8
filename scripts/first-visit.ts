/**
 * Walks through a first visit: a fresh clone in an empty folder, one command, two people in a browser, a restart of the server,
 * then the first hour of new users under each name of the server, on desktop and phone, light and dark.
 *
 *     npm run first-visit [-- [--here] [folder for screenshots]]
 *
 * Prints times and what was seen, and fails when something is missing. `--here` starts this working tree, with data of
 * its own, and only walks through the first hour. Screenshots go to `dist/first-visit` by default.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { devices, hosts, resolverRules, walkFirstHour } from '../test/harness/first-hour.ts';
import { openBrowser, say } from '../test/harness/page-visits.ts';

const repository = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  options: { here: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const { here } = values;
const pictures = resolve(positionals[0] ?? join(repository, 'dist', 'first-visit'));
mkdirSync(pictures, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), 'parley-visit-'));
const clone = join(folder, 'parley');
const port = 18930;
const url = `http://localhost:${port}`;
const settings = {
  PORT: String(port),
  PARLEY_PROCESSING_PORT: String(port + 1),
  PARLEY_DATABASE_EMBEDDED_DIR: join(folder, 'data'),
};
/** For a server that is known by a name of its own, and so prints a setup link; nobody types as fast as the walks do. */
const named = {
  PUBLIC_URL: `http://${hosts[3]}:${port}`,
  HOST: '127.0.0.1',
  PARLEY_LIMITS_MESSAGES_PER_SECOND: '1000',
  PARLEY_LIMITS_MESSAGES_BURST: '1000',
};
const began = performance.now();

function note(what: string, sinceMs?: number): void {
  const took = sinceMs === undefined ? '' : ` (${((performance.now() - sinceMs) / 1000).toFixed(2)} s)`;
  process.stdout.write(`${what}${took}\n`);
}

/** What the server printed, on either stream. */
let printed = '';

async function start(more: Readonly<Record<string, string>> = {}): Promise<ChildProcess> {
  printed = '';
  const child = spawn('npm', ['start'], {
    cwd: here ? repository : clone,
    env: { ...process.env, ...settings, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const startedMs = performance.now();
  await new Promise<void>((done, reject) => {
    const hear = (chunk: Buffer) => {
      printed = (printed + chunk.toString()).slice(-100_000);
      if (printed.includes('Parley is ready at')) done();
    };
    child.stdout!.on('data', hear);
    child.stderr!.on('data', hear);
    child.once('exit', (code) => reject(new Error(`npm start ended with ${code}:\n${printed}`)));
  });
  note('printed: Parley is ready', startedMs);
  const page = await fetch(url);
  if (!page.ok || !(await page.text()).includes('<div id="app">')) throw new Error('no page');
  note('from the command to the first page', startedMs);
  return child;
}

/** Signals the whole group, because npm does not hand signals on, and waits until Parley has ended too: npm ends before it. */
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  let next: NodeJS.Signals | 0 = signal;
  while (signalGroup(child, next)) {
    next = 0;
    await pause(50);
  }
}

/** @returns whether a process of the group is left */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid!, signal);
  } catch {
    return false;
  }
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

async function take(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(pictures, `${name}.png`) });
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

/** Each walk on the same server: the first one begins at its setup link. */
async function walkAll(browser: Browser): Promise<void> {
  let setupLink = /http\S+\/#\/setup\?token=\S+/.exec(printed)?.[0];
  let mark = 0;
  for (const host of hosts.toReversed())
    for (const device of Object.keys(devices) as (keyof typeof devices)[])
      for (const colorScheme of ['light', 'dark'] as const) {
        const walkedMs = performance.now();
        const origin = `http://${host}:${port}`;
        await walkFirstHour({ browser, origin, device, colorScheme, mark: `${mark++}`, setupLink, pictures });
        setupLink = undefined;
        note(`the first hour at ${host}, ${device}, ${colorScheme}`, walkedMs);
      }
}

let server: ChildProcess | undefined;
let browser: Browser | undefined;
try {
  browser = await openBrowser([resolverRules]);
  if (!here) {
    if (spawnSync('git', ['clone', '-q', repository, clone]).status !== 0) throw new Error('git clone failed');
    note('cloned into an empty folder', began);
    server = await start();
    server = await visit(browser, server);
    await end(server, 'SIGTERM');
    // Another server, of which nobody is admin yet.
    rmSync(settings.PARLEY_DATABASE_EMBEDDED_DIR, { recursive: true, force: true });
  }
  server = await start(named);
  await walkAll(browser);
  note(`screenshots: ${pictures}`);
} finally {
  await browser?.close();
  if (server) await end(server, 'SIGTERM');
  rmSync(folder, { recursive: true, force: true });
}
