/**
 * Takes a picture of every view of the page, on desktop and phone, light and dark, and checks each with axe.
 *
 *     npm run screenshots [-- [--only=<part of a name>] [--here=<folder>]]
 *
 * Starts a Parley with a database of its own and fills it with a conversation (screenshots/lively-rooms.ts). Pictures go to
 * `dist/screenshots/<view>/<device>-<scheme>.png`. Fails when axe finds anything, a script fails, or a view is wider than the screen.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { violations } from '../test/harness/axe-check.ts';
import { devices } from '../test/harness/first-hour.ts';
import { openBrowser, visit } from '../test/harness/page-visits.ts';
import { patientModeration, startParley, wideLimits } from '../test/harness/parley-process.ts';
import { startLocalSite } from '../test/outbound/local-site.ts';
import { fillRooms, type Lively } from './screenshots/lively-rooms.ts';
import { type Shot, type View, views } from './screenshots/page-views.ts';

const { values } = parseArgs({ options: { only: { type: 'string', default: '' }, here: { type: 'string' } } });
const pictures = resolve(values.here ?? fileURLToPath(new URL('../dist/screenshots', import.meta.url)));
const wanted = views.filter(({ name }) => name.includes(values.only));
const schemes = ['light', 'dark'] as const;
const problems: string[] = [];
let taken = 0;

/** One view in one look. A view that fails is told at the end; the others go on. */
async function take(view: View, shot: Shot): Promise<void> {
  const look = `${shot.device}-${shot.scheme}`;
  try {
    await view.show(shot);
    const path = join(pictures, view.name, `${look}.png`);
    await shot.page.screenshot({ path, animations: 'disabled', caret: 'hide' });
    taken += 1;
    const found = await violations(shot.page);
    const tooWide = Number(await shot.page.evaluate('document.documentElement.scrollWidth - innerWidth'));
    if (tooWide > 0) found.push(`${tooWide} px wider than the screen`);
    problems.push(...found.map((what) => `${view.name} ${look}: ${what}`));
  } catch (error) {
    problems.push(`${view.name} ${look}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** All views in one look, by one login. */
async function takeAll(browser: Browser, lively: Lively, look: Pick<Shot, 'device' | 'scheme'>): Promise<void> {
  const options = { ...devices[look.device], colorScheme: look.scheme, locale: 'en-GB' };
  const page = await visit(browser, { url: lively.url, person: lively.ana, options });
  page.setDefaultTimeout(15_000);
  watchErrors(page, look);
  const newPage = async () => {
    const other = await (await browser.newContext(options)).newPage();
    other.setDefaultTimeout(15_000);
    watchErrors(other, look);
    return other;
  };
  for (const view of wanted) {
    const shot = { ...look, page: view.apart ? await newPage() : page, lively };
    if (!view.apart) await startOver(page, lively.url);
    await take(view, shot);
    if (view.apart) await shot.page.context().close();
  }
  await page.context().close();
}

function watchErrors(page: Page, { device, scheme }: Pick<Shot, 'device' | 'scheme'>): void {
  page.on('pageerror', (error) => problems.push(`${device}-${scheme}: a script failed: ${error.message}`));
}

/** Views leave dialogs open and texts written. */
async function startOver(page: Page, url: string): Promise<void> {
  await page.evaluate(() => {
    for (const key of Object.keys(localStorage))
      if (/^parley\.(draft|edit|unsent|emoji)\./.test(key)) localStorage.removeItem(key);
  });
  await page.goto('about:blank');
  await page.goto(url);
  await page.getByRole('button', { name: 'New room' }).waitFor();
}

await build({ logLevel: 'warn' });
const folder = mkdtempSync(join(tmpdir(), 'parley-screenshots-'));
const site = await startLocalSite();
const parley = await startParley({
  role: 'all',
  settings: {
    ...wideLimits,
    ...patientModeration,
    PARLEY_DATABASE_EMBEDDED_DIR: join(folder, 'data'),
    PARLEY_UPLOADS_DIR: join(folder, 'uploads'),
    PARLEY_PREVIEWS_ENABLED: 'true',
    PARLEY_OUTBOUND_ALLOW: '127.0.0.1',
    PARLEY_JOBS_POLL_INTERVAL: '100ms',
    PARLEY_MESSAGE_STREAM_IDLE: '10m',
  },
});
try {
  const browser = await openBrowser();
  const lively = await fillRooms(parley.url, site);
  for (const { name } of wanted) mkdirSync(join(pictures, name), { recursive: true });
  for (const device of Object.keys(devices) as Shot['device'][])
    for (const scheme of schemes) await takeAll(browser, lively, { device, scheme });
  await browser.close();
  await lively.end();
} finally {
  await parley.stop();
  await site.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${taken} pictures in ${pictures}, ${problems.length} problems\n`);
for (const problem of problems) process.stdout.write(`${problem}\n`);
if (problems.length > 0) process.exitCode = 1;
