/** Users of the page in a real browser: logged in, in a room, on a desktop or on a phone. */
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
  type WebSocketRoute,
} from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { type SharedParley, useSharedParley } from './shared-parley.ts';
import { createRoom, mustCall, signUp, type TestUser } from './test-client.ts';

export function openBrowser(args: readonly string[] = []): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: ['--no-sandbox', ...args] });
}

export interface PageStage {
  readonly browser: Browser;
  readonly url: string;
  /** Two people who have just signed up. */
  readonly twoPeople: () => Promise<{ ana: TestUser; ben: TestUser }>;
  /** A room that ana owns and ben is a member of. */
  readonly roomOfTwo: (name: string) => Promise<RoomOfTwo>;
}

export interface RoomOfTwo {
  readonly ana: TestUser;
  readonly ben: TestUser;
  readonly roomId: string;
  /** Sends a message over the API. @returns its id */
  readonly send: (who: 'ana' | 'ben', text: string) => Promise<string>;
}

/** A browser of the file that calls this, and the shared Parley with its page. */
export function openPageStage(): PageStage {
  let browser: Browser;
  let parley: SharedParley;
  beforeAll(async () => {
    [browser, parley] = await Promise.all([openBrowser(), useSharedParley()]);
  });
  afterAll(() => browser.close());

  async function twoPeople(): Promise<{ ana: TestUser; ben: TestUser }> {
    const [ana, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
    return { ana, ben };
  }
  return {
    get browser() {
      return browser;
    },
    get url() {
      return parley.url;
    },
    twoPeople,
    roomOfTwo: async (name) => {
      const { ana, ben } = await twoPeople();
      const roomId = await createRoom([ana, ben], { name });
      return { ana, ben, roomId, send: (who, text) => sendTo(who === 'ana' ? ana : ben, { roomId, text }) };
    },
  };
}

let sentCount = 0;

/** Sends a message over the API. @returns its id */
export async function sendTo(person: TestUser, { roomId, text }: { roomId: string; text: string }): Promise<string> {
  const clientId = `stage-${sentCount++}`;
  return String((await mustCall(person, 'POST', `/v1/rooms/${roomId}/messages`, { clientId, text })).id);
}

/** The room's texts as the server has them; that of a deleted message is empty. */
export async function storedTexts(person: TestUser, roomId: string): Promise<string[]> {
  const { messages: stored } = await mustCall(person, 'GET', `/v1/rooms/${roomId}/messages`);
  return (stored as { text: string }[]).map(({ text }) => text);
}

/** A small touch screen. */
export const phone: BrowserContextOptions = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/** For tests that run on both. */
export const devices: readonly (readonly [name: 'desktop' | 'phone', options: BrowserContextOptions])[] = [
  ['desktop', {}],
  ['phone', phone],
];

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

/** Answers the question before a final action by the button with this label. */
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

export interface SocketControls {
  /** Closes all connections, and refuses new ones until `restore`. */
  readonly cut: () => void;
  readonly restore: () => void;
  /** Drops all frames of the open connections without closing them. New connections work. */
  readonly silence: () => void;
  /** How many connections were refused. */
  readonly refused: () => number;
}

/** Cuts or silences a browser context's live connections, without the server's doing. */
export async function controlSockets(context: BrowserContext): Promise<SocketControls> {
  const open = new Set<WebSocketRoute>();
  let silent = new Set<WebSocketRoute>();
  let isCut = false;
  let refused = 0;
  await context.routeWebSocket(/\/v1\/ws/, (socket) => {
    if (isCut) {
      refused += 1;
      void socket.close({ code: 1001 });
      return;
    }
    open.add(socket);
    const server = socket.connectToServer();
    socket.onMessage((frame) => silent.has(socket) || server.send(frame));
    server.onMessage((frame) => silent.has(socket) || socket.send(frame));
  });
  // The client falls back to event streams where sockets fail.
  await context.route(/\/v1\/sse/, (route) => {
    if (!isCut) return route.continue();
    refused += 1;
    return route.abort('connectionrefused');
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
    silence: () => {
      silent = new Set(open);
    },
    refused: () => refused,
  };
}
