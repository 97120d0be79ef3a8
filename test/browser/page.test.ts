import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { freePort } from '../harness/ports.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

let browser: Browser;
let database: TestDatabase;
let parley: ParleyProcess;
let port: number;

const start = () =>
  startParley({
    role: 'all',
    httpPort: port,
    settings: { DATABASE_URL: database.url, PUBLIC_URL: `http://127.0.0.1:${port}` },
  });

beforeAll(async () => {
  [browser, database, port] = await Promise.all([
    chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] }),
    createDatabase(),
    freePort(),
  ]);
  parley = await start();
});
afterAll(async () => {
  await browser.close();
  await parley.stop();
  await database.drop();
});

/** A user with a browser of their own. Complaints of the page fail the test. */
async function visit(): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(parley.url);
  return { page, complaints };
}

async function signUp(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByLabel('Username').fill(name);
  await page.getByLabel('Email').fill(`${name}@example.org`);
  await page.getByLabel('Password').fill(`secret of ${name}`);
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByRole('button', { name: 'New room' }).waitFor();
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

const messages = (page: Page) => page.getByRole('log', { name: 'Messages' });

test('two people chat live, with rendered and moderated messages, over a reload and a restart of the server', async () => {
  const { page: ana, complaints } = await visit();
  const { page: ben, complaints: others } = await visit();
  await signUp(ana, 'ana');
  await signUp(ben, 'ben');

  await ana.getByRole('button', { name: 'New room' }).click();
  await ana.getByLabel('Room name').fill('Garden');
  await ana.getByLabel('People').fill('ben');
  await ana.getByRole('button', { name: 'Create room' }).click();
  await ana.getByRole('heading', { name: 'Garden' }).waitFor();

  // The room appears in Ben's list, with an unread message.
  await ben.getByRole('link', { name: /Garden/ }).waitFor();
  await say(ana, 'Hello *Ben*, look at https://example.org/roses');
  await ben.getByRole('link', { name: /Garden.*1 unread/ }).waitFor();
  await ben.getByRole('link', { name: /Garden/ }).click();
  const link = messages(ben).getByRole('link', { name: 'https://example.org/roses' });
  await link.waitFor();
  expect(await link.getAttribute('rel')).toBe('noopener noreferrer nofollow ugc');
  await expect.poll(() => messages(ben).locator('em').textContent()).toBe('Ben');

  // Messages arrive both ways; the other sees who is writing.
  await ben.getByLabel('Message', { exact: true }).pressSequentially('Hi');
  await ana.getByText('ben is writing').waitFor();
  await ben.keyboard.press('Enter');
  await messages(ana).getByText('Hi', { exact: true }).waitFor();

  // A script is shown as text.
  await say(ben, '<script>alert(1)</script><img src=x onerror=alert(2)>');
  await messages(ana).getByText('<script>alert(1)</script>').waitFor();
  await expect.poll(() => messages(ana).locator('script, img').count()).toBe(0);

  // A refused message shows the reason, and to its author only.
  await say(ben, 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X');
  await ben.getByText(/Blocked by moderation: test/).waitFor();
  await say(ben, 'after the blocked one');
  await messages(ana).getByText('after the blocked one').waitFor();
  await expect.poll(() => messages(ana).getByText('GTUBE').count()).toBe(0);

  // Edits and deletions.
  await messages(ben).getByText('after the blocked one').hover();
  await ben.getByRole('button', { name: 'Edit' }).last().click();
  await ben.getByLabel('Edit message').fill('changed');
  await ben.keyboard.press('Enter');
  await messages(ana).getByText('changed').waitFor();
  await messages(ana).getByText('(edited)').waitFor();
  await messages(ben).getByText('changed').hover();
  await ben.getByRole('button', { name: 'Delete' }).last().click();
  await ben
    .getByRole('dialog', { name: 'Delete message?' })
    .getByRole('button', { name: 'Delete', exact: true })
    .click();
  await messages(ana).getByText('This message was deleted.').waitFor();

  // A reload keeps the login, the room and the history.
  await ana.reload();
  await messages(ana).getByText('Hi', { exact: true }).waitFor();
  await expect.poll(() => messages(ana).getByRole('article').count()).toBe(4);

  // The server stops and starts again: the pages reconnect by themselves, and messages written in between are sent once.
  await parley.kill();
  await ana.getByText('Reconnecting').waitFor();
  await say(ana, 'written while away');
  await ana.getByText('Sending …').waitFor();
  parley = await start();
  await messages(ben).getByText('written while away').waitFor();
  await ana.getByText('Reconnecting').waitFor({ state: 'detached', timeout: 60_000 });
  await expect.poll(() => messages(ana).getByText('written while away').count()).toBe(1);
  await expect.poll(() => messages(ben).getByText('written while away').count()).toBe(1);
  expect([complaints, others]).toEqual([[], []]);
});

test('a guest enters, finds a public room and joins it, by keyboard alone', async () => {
  const { page: owner } = await visit();
  await signUp(owner, 'carla');
  await owner.getByRole('button', { name: 'New room' }).click();
  await owner.getByLabel('Room name').fill('Open market');
  await owner.getByRole('button', { name: 'Create room' }).click();
  await owner.getByRole('heading', { name: 'Open market' }).waitFor();
  await say(owner, 'welcome everyone');

  const { page: guest } = await visit();
  const press = async (name: string) => {
    const button = guest.getByRole('button', { name });
    await button.focus();
    await guest.keyboard.press('Enter');
  };
  await press('Continue as guest');
  await guest.getByLabel('Display name').focus();
  await guest.keyboard.type('Passer-by');
  await guest.keyboard.press('Enter');
  await guest.getByRole('button', { name: 'Browse' }).waitFor();
  await press('Browse');
  await guest.getByLabel('Search rooms').fill('market');
  await guest.getByRole('button', { name: 'Join Open market' }).waitFor();
  await press('Join Open market');
  await messages(guest).getByText('welcome everyone').waitFor();
  await guest.getByLabel('Message', { exact: true }).focus();
  await guest.keyboard.type('thank you');
  await guest.keyboard.press('Enter');
  await messages(owner).getByText('thank you').waitFor();
});

test('a wrong password is refused in words, and logging out shows the login screen', async () => {
  const { page } = await visit();
  await signUp(page, 'dora');
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Username').fill('dora');
  await page.getByLabel('Password').fill('not the one');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page
    .getByRole('alert')
    .getByText(/wrong name or password/i)
    .waitFor();
  await page.getByLabel('Password').fill('secret of dora');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('button', { name: 'New room' }).waitFor();
});

test('following an invite link and logging in joins the room', async () => {
  const [ana, ben] = [await visit(), await visit()];
  await signUp(ana.page, 'host');
  await ana.page.getByRole('button', { name: 'New room' }).click();
  await ana.page.getByLabel('Room name').fill('Workshop');
  await ana.page.getByRole('button', { name: 'Create room' }).click();
  await ana.page.getByRole('heading', { name: 'Workshop' }).waitFor();
  await ana.page.getByRole('button', { name: '1 person' }).click();
  await ana.page.getByRole('button', { name: 'Invite by link' }).click();
  const link = await ana.page.getByLabel('Invite link').inputValue();
  await ben.page.goto(link);
  await signUp(ben.page, 'visitor');
  await ben.page.getByRole('heading', { name: 'Workshop' }).waitFor();
  await ben.page.goto(`${parley.url}/#/invite/no-code-at-all`);
  await ben.page.getByText('This invitation does not let you in').waitFor();
  expect([...ana.complaints, ...ben.complaints]).toEqual([]);
});

test('a member is not counted twice when the join event follows the room list', async () => {
  const { page, complaints } = await visit();
  const late: (() => void)[] = [];
  await page.routeWebSocket(/\/v1\/ws/, (socket) => {
    socket.connectToServer().onMessage((frame) => {
      if (String(frame).includes('"member.joined"')) late.push(() => socket.send(frame));
      else socket.send(frame);
    });
  });
  // The page's sockets are routed from its next load on.
  await page.reload();
  await signUp(page, 'founder');
  await page.getByRole('button', { name: 'New room' }).click();
  await page.getByLabel('Room name').fill('Quiet corner');
  await page.getByRole('button', { name: 'Create room' }).click();
  await page.getByRole('button', { name: '1 person' }).waitFor();
  await expect.poll(() => late.length).toBe(1);
  late[0]!();
  await say(page, 'Alone here');
  await messages(page).getByText('Alone here').waitFor();
  await page.getByRole('button', { name: '1 person' }).waitFor();
  expect(complaints).toEqual([]);
});

test('an event that arrives while the room list is loading is counted', async () => {
  const [ana, ben] = [await visit(), await visit()];
  await signUp(ana.page, 'waiter');
  await ana.page.getByRole('button', { name: 'New room' }).click();
  await ana.page.getByLabel('Room name').fill('Waiting room');
  await ana.page.getByRole('button', { name: 'Create room' }).click();
  await ana.page.getByRole('button', { name: '1 person' }).click();
  await ana.page.getByRole('button', { name: 'Invite by link' }).click();
  await ben.page.goto(await ana.page.getByLabel('Invite link').inputValue());
  const [{ promise: isRead, resolve: read }, { promise: released, resolve: release }] = [
    Promise.withResolvers<void>(),
    Promise.withResolvers<void>(),
  ];
  await ana.page.route(/\/v1\/rooms\?limit/, async (route) => {
    const response = await route.fetch();
    read();
    await released;
    await route.fulfill({ response });
  });
  const told = new Promise<void>((resolve) => {
    ana.page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => {
        if (String(payload).includes('"member.joined"')) resolve();
      }),
    );
  });
  // After it has reconnected, the page requests its rooms.
  await ana.page.reload();
  await isRead;
  await signUp(ben.page, 'latecomer');
  await ben.page.getByRole('heading', { name: 'Waiting room' }).waitFor();
  await told;
  release();
  await ana.page.getByRole('link', { name: /Waiting room/ }).click();
  await ana.page.getByRole('button', { name: '2 people' }).waitFor();
  expect([...ana.complaints, ...ben.complaints]).toEqual([]);
});

test('line breaks are shown in paragraphs, list items, nested lists and quotes', async () => {
  const { page, complaints } = await visit();
  await signUp(page, 'lines');
  await page.getByRole('button', { name: 'New room' }).click();
  await page.getByLabel('Room name').fill('Poems');
  await page.getByRole('button', { name: 'Create room' }).click();
  await page.getByRole('heading', { name: 'Poems' }).waitFor();
  await say(
    page,
    'first\nsecond\n\n- milk,\n  not cold\n- bread\n  - rye,\n    sliced\n  - white\n\n> said\n> and done',
  );
  const text = messages(page).locator('.text').last();
  // Until the message is stored its text is shown as it was written.
  await text.locator('li', { hasText: 'sliced' }).first().waitFor();
  // biome-ignore lint/performance/useDomNodeTextContent: the lines as they are laid out are what is tested
  const lines = (await text.innerText()).split('\n').map((line) => line.trim());
  expect(lines.filter((line) => line !== '')).toEqual(
    'first|second|milk,|not cold|bread|rye,|sliced|white|said|and done'.split('|'),
  );
  // One line of room more for the item of two lines than for that of one, and no empty line in a list.
  const heights = await text.locator('ul ul > li').evaluateAll((items) => items.map((item) => item.clientHeight));
  expect(heights[0]! / heights[1]!).toBeCloseTo(2, 1);
  const outer = await text.locator('ul > li').evaluateAll((items) => items.map((item) => item.clientHeight));
  expect(outer[1]! / heights[1]!).toBeCloseTo(4, 1);
  expect(complaints).toEqual([]);
});
