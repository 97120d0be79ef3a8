import type { Locator, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { article, devices, enterRoom, messages, openPageStage, say, visit } from '../harness/page-visits.ts';
import { mustCall, type TestUser } from '../harness/test-client.ts';

const stage = openPageStage();

interface Talk {
  readonly ana: TestUser;
  readonly ben: TestUser;
  readonly roomId: string;
  /** Ben sends `line <n>` for each number. @returns the id of the last one */
  readonly tell: (from: number, to: number) => Promise<string>;
  /** How many messages ana has not read, as the server counts. */
  readonly unread: () => Promise<unknown>;
}

async function talk(name: string): Promise<Talk> {
  const { ana, ben, roomId, send } = await stage.roomOfTwo(name);
  return {
    ana,
    ben,
    roomId,
    tell: async (from, to) => {
      let id = '';
      for (let line = from; line <= to; line++)
        id = await send('ben', `line ${line} of what ben has to say\n\nand more of it`);
      return id;
    },
    unread: async () => (await mustCall(ana, 'GET', '/v1/rooms')).items!.find((room) => room.id === roomId)!.unread,
  };
}

/** Marks the room as read, as another device does. */
async function readAll(person: TestUser, messageId: string): Promise<void> {
  const { items } = await mustCall(person, 'GET', '/v1/rooms');
  const room = items!.find(({ lastMessage }) => (lastMessage as { id: string } | null)?.id === messageId)!;
  await mustCall(person, 'PUT', `/v1/rooms/${room.id as string}/read`, { seq: room.seq });
}

const line = (page: Page, number: number) => article(page, `line ${number} of`);
const divider = (page: Page) => page.getByRole('separator', { name: 'New messages' });
const pill = (page: Page) => page.getByRole('button', { name: /jump to latest/i });

const topOf = (element: Locator) => element.evaluate((each) => each.getBoundingClientRect().top);
const isInView = (element: Locator) =>
  element.evaluate((each) => {
    const inner = each.getBoundingClientRect();
    const outer = each.closest('[role=log]')!.getBoundingClientRect();
    return inner.top >= outer.top && inner.bottom <= outer.bottom;
  });

/** Sends a message from the page. Once it is stored, everything before it has happened. */
async function marker(page: Page, text: string): Promise<void> {
  await say(page, text);
  await article(page, text).getByText('Sending …').waitFor({ state: 'detached' });
}

const scrollTo = (page: Page, top: number) =>
  messages(page).evaluate((log, to) => {
    log.scrollTop = to;
  }, top);
const distanceToEnd = (page: Page) =>
  messages(page).evaluate((log) => Math.round(log.scrollHeight - log.scrollTop - log.clientHeight));

for (const [device, options] of devices)
  test(`on a ${device} a room with 30 unread messages opens at the first of them, and they stay unread until they were in view`, async () => {
    const { ana, tell, unread } = await talk(`Thirty ${device}`);
    await tell(1, 20);
    const page = await visit(stage.browser, { url: stage.url, person: ana, options });
    await enterRoom(page, 'Thirty');
    await pill(page).click();
    await expect.poll(unread).toBe(0);
    await page.goto(`${stage.url}/#/`);
    await tell(21, 50);
    await page.getByRole('link', { name: /30 unread/ }).click();

    await divider(page).waitFor();
    expect(await isInView(line(page, 21))).toBe(true);
    expect((await topOf(line(page, 20))) < (await topOf(divider(page)))).toBe(true);
    expect((await topOf(divider(page))) < (await topOf(line(page, 21)))).toBe(true);
    await page.getByRole('button', { name: '30 new messages' }).waitFor();
    // A frame that the page sends later is answered: nothing was marked before it.
    await page.getByLabel('Message', { exact: true }).pressSequentially('x');
    expect(await unread()).toBe(30);

    await pill(page).click();
    await expect.poll(() => distanceToEnd(page)).toBe(0);
    expect(await isInView(line(page, 50))).toBe(true);
    await expect.poll(unread).toBe(0);
    await pill(page).waitFor({ state: 'detached' });
    // The divider stays, so that its place can still be found.
    await expect.poll(() => divider(page).count()).toBe(1);
  });

test('more unread messages than a page of history holds are all loaded', async () => {
  const { ana, tell, unread } = await talk('Eighty');
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'Eighty');
  await messages(page).getByText(/begin/).waitFor();
  await page.goto(`${stage.url}/#/`);
  await tell(1, 120);
  await page.reload();
  await page.getByRole('link', { name: /120 unread/ }).click();
  await divider(page).waitFor();
  expect(await isInView(line(page, 1))).toBe(true);
  expect(await unread()).toBe(120);
});

test('unread messages that fit the screen are read at once, with the divider before them', async () => {
  const { ana, tell, unread } = await talk('Few');
  await tell(1, 3);
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'Few');
  await divider(page).waitFor();
  await expect.poll(unread).toBe(0);
  await marker(page, 'an answer');
  await expect.poll(() => divider(page).count()).toBe(0);
});

test('loading older messages does not move the ones in view', async () => {
  const { ana, tell } = await talk('History');
  const last = await tell(1, 220);
  await readAll(ana, last);
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'History');
  await line(page, 220).waitFor();
  for (let round = 0; round < 2; round++) {
    const before = await messages(page).getByRole('article').count();
    // To the very top, where browsers do not anchor by themselves.
    const first = await messages(page).evaluate((log) => {
      log.scrollTop = 0;
      const top = log.getBoundingClientRect().top;
      const inView = [...log.querySelectorAll('article')].find((each) => each.getBoundingClientRect().top >= top)!;
      return {
        text: inView.querySelector('.text')!.textContent!.split(' of')[0]!,
        top: inView.getBoundingClientRect().top,
      };
    });
    await expect.poll(() => messages(page).getByRole('article').count()).toBeGreaterThan(before);
    await messages(page).getByText('Loading …').waitFor({ state: 'detached' });
    expect(Math.abs((await topOf(article(page, `${first.text} of`))) - first.top)).toBeLessThanOrEqual(2);
  }
});

test('new, changed and deleted messages do not move a reader further up, and are counted until they are jumped to', async () => {
  const { ana, ben, roomId, tell, unread } = await talk('Above');
  const first = await tell(1, 1);
  await tell(2, 40);
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'Above');
  await line(page, 40).waitFor();
  await scrollTo(page, 1_000_000);
  await expect.poll(unread).toBe(0);
  await line(page, 20).scrollIntoViewIfNeeded();
  await pill(page).waitFor();
  const before = await topOf(line(page, 20));

  await tell(41, 43);
  await page.getByRole('button', { name: '3 new messages' }).waitFor();
  expect(Math.abs((await topOf(line(page, 20))) - before)).toBeLessThanOrEqual(2);
  await mustCall(ben, 'PATCH', `/v1/rooms/${roomId}/messages/${first}`, { text: 'tall\n\n'.repeat(40) });
  await article(page, 'tall').waitFor();
  expect(Math.abs((await topOf(line(page, 20))) - before)).toBeLessThanOrEqual(2);
  await mustCall(ben, 'DELETE', `/v1/rooms/${roomId}/messages/${first}`);
  await messages(page).getByText('This message was deleted.').waitFor();
  expect(Math.abs((await topOf(line(page, 20))) - before)).toBeLessThanOrEqual(2);
  // As a picture does when it is loaded.
  await line(page, 10).evaluate((each) => {
    (each as HTMLElement).style.height = '500px';
  });
  await expect.poll(async () => Math.abs((await topOf(line(page, 20))) - before)).toBeLessThanOrEqual(2);
  expect(await unread()).toBe(3);
  await page.getByRole('link', { name: /Above.*3 unread/ }).waitFor();

  await pill(page).click();
  await expect.poll(unread).toBe(0);
  expect(await isInView(line(page, 43))).toBe(true);
  await expect.poll(() => divider(page).count()).toBe(1);
});

test('a reader at the newest end follows it, also when a message grows later', async () => {
  const { ana, tell } = await talk('Along');
  await tell(1, 30);
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'Along');
  await line(page, 30).waitFor();
  await pill(page).click();
  await tell(31, 33);
  await line(page, 33).waitFor();
  await expect.poll(() => distanceToEnd(page)).toBe(0);
  await expect
    .poll(() => divider(page).evaluate((each) => each.nextElementSibling?.textContent))
    .toContain('line 1 of');
  await line(page, 32).evaluate((each) => {
    (each as HTMLElement).style.height = '900px';
  });
  await expect.poll(() => distanceToEnd(page)).toBe(0);
  // The composer grows and takes height from the list.
  await page.getByLabel('Message', { exact: true }).fill('a\nb\nc\nd\ne\nf\ng');
  await expect.poll(() => distanceToEnd(page)).toBe(0);
});

test('nothing counts as read in a hidden window or one without the focus', async () => {
  const { ana, tell, unread } = await talk('Behind');
  await tell(1, 2);
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'Behind');
  await expect.poll(unread).toBe(0);
  const look = (focused: boolean, visible: boolean) =>
    page.evaluate(
      ([hasFocus, visibility]) => {
        document.hasFocus = () => hasFocus as boolean;
        Object.defineProperty(document, 'visibilityState', { value: visibility, configurable: true });
        document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
        window.dispatchEvent(new Event(hasFocus ? 'focus' : 'blur'));
      },
      [focused, visible ? 'visible' : 'hidden'] as const,
    );
  await look(false, true);
  await tell(3, 4);
  await page.getByRole('link', { name: /Behind.*2 unread/ }).waitFor();
  await look(false, false);
  await tell(5, 5);
  await page.getByRole('link', { name: /Behind.*3 unread/ }).waitFor();
  expect(await unread()).toBe(3);
  await look(true, true);
  await expect.poll(unread).toBe(0);
  await expect
    .poll(() => divider(page).evaluate((each) => each.nextElementSibling?.textContent))
    .toContain('line 3 of');
});

test('older messages that could not be loaded are requested again on demand only', async () => {
  const { ana, tell } = await talk('Broken');
  await readAll(ana, await tell(1, 80));
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  let asked = 0;
  await page.route(/\/messages\?limit=50&before=/, (route) => {
    asked += 1;
    return asked === 1 ? route.fulfill({ status: 503, json: { code: 'unavailable' } }) : route.continue();
  });
  await enterRoom(page, 'Broken');
  await line(page, 80).waitFor();
  await scrollTo(page, 0);
  await messages(page).getByText('The messages could not be loaded.').waitFor();
  await scrollTo(page, 50);
  await scrollTo(page, 0);
  expect(asked).toBe(1);
  await messages(page).getByRole('button', { name: 'Try again' }).click();
  await line(page, 1).waitFor();
});
