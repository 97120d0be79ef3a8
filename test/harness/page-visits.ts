/** People at the page in a real browser: logged in, in a room, at a desk or with a phone in the hand. */
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
  type WebSocketRoute,
} from 'playwright-core';
import type { TestUser } from './test-client.ts';

export function openBrowser(args: readonly string[] = []): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: ['--no-sandbox', ...args] });
}

/** A touch screen in a hand. */
export const phone: BrowserContextOptions = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/** Logs in by the form, in a browser context of its own. */
export async function visit(
  browser: Browser,
  { url, person, options = {} }: { url: string; person: TestUser; options?: BrowserContextOptions },
): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  await page.goto(url);
  await page.getByLabel('Username').fill(person.username);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('button', { name: 'New room' }).waitFor();
  return page;
}

export async function enterRoom(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name: new RegExp(name) }).click();
  await page.getByRole('heading', { name }).waitFor();
}

export const messages = (page: Page): Locator => page.getByRole('log', { name: 'Messages' });

export const article = (page: Page, text: string): Locator =>
  messages(page).getByRole('article').filter({ hasText: text });

export async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

/** Presses the button of the question that is asked before something final is done. */
export async function confirm(page: Page, action: string): Promise<void> {
  await page.locator('dialog.question').getByRole('button', { name: action, exact: true }).click();
}

/** Keeps a finger on an element until `until` shows, then lifts it. */
export async function longPress(page: Page, element: Locator, until: Locator): Promise<void> {
  const box = (await element.boundingBox())!;
  const devtools = await page.context().newCDPSession(page);
  const point = { x: Math.round(box.x + box.width / 2), y: Math.round(box.y + box.height / 2) };
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [point] });
  await until.waitFor();
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  await devtools.detach();
}

/** Cuts a browser context's live connection and lets it come back, without the server's doing. */
export async function controlSockets(context: BrowserContext): Promise<{ cut: () => void; restore: () => void }> {
  const open = new Set<WebSocketRoute>();
  let isCut = false;
  await context.routeWebSocket(/\/v1\/ws/, (socket) => {
    if (isCut) {
      void socket.close({ code: 1001 });
      return;
    }
    open.add(socket);
    socket.connectToServer();
  });
  return {
    cut: () => {
      isCut = true;
      for (const socket of open) void socket.close({ code: 1001 });
      open.clear();
    },
    restore: () => {
      isCut = false;
    },
  };
}
