import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  article,
  confirm,
  controlSockets,
  enterRoom,
  messages,
  openBrowser,
  say,
  visit,
} from '../harness/page-visits.ts';
import { freePort } from '../harness/ports.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let browser: Browser;
let parley: Single;

beforeAll(async () => {
  const port = await freePort();
  [browser, parley] = await Promise.all([openBrowser(), startSingle({ PUBLIC_URL: `http://127.0.0.1:${port}` }, port)]);
});
afterAll(async () => {
  await browser.close();
  await parley.end();
});

async function people(): Promise<{ ana: TestUser; ben: TestUser }> {
  const [ana, ben] = (await Promise.all([signUp(parley.url), signUp(parley.url)])) as [TestUser, TestUser];
  return { ana, ben };
}

const composer = (page: Page) => page.getByLabel('Message', { exact: true });
const write = async (page: Page, text: string) => {
  await composer(page).focus();
  await page.keyboard.insertText(text);
};
/** As the server has them. */
async function stored(person: TestUser, roomId: string): Promise<string[]> {
  const { messages: list } = await mustCall(person, 'GET', `/v1/rooms/${roomId}/messages`);
  return (list as { text: string }[]).map(({ text }) => text);
}

test('each room keeps its draft, over a change of rooms and over a reload', async () => {
  const { ana, ben } = await people();
  await createRoom([ana, ben], { name: 'Roses' });
  await createRoom([ana, ben], { name: 'Tulips' });
  const page = await visit(browser, { url: parley.url, person: ana });
  await enterRoom(page, 'Roses');
  await write(page, 'half a thought\nabout roses');
  await enterRoom(page, 'Tulips');
  await expect.poll(() => composer(page).inputValue()).toBe('');
  await write(page, 'tulips then');
  await enterRoom(page, 'Roses');
  await expect.poll(() => composer(page).inputValue()).toBe('half a thought\nabout roses');
  await page.reload();
  await messages(page).waitFor();
  await expect.poll(() => composer(page).inputValue()).toBe('half a thought\nabout roses');
  await composer(page).press('Enter');
  await article(page, 'half a thought').waitFor();
  await enterRoom(page, 'Tulips');
  await expect.poll(() => composer(page).inputValue()).toBe('tulips then');
  await enterRoom(page, 'Roses');
  await expect.poll(() => composer(page).inputValue()).toBe('');
});

test('a text that is too long is kept whole, and its length is said before it can be sent', async () => {
  const { ana, ben } = await people();
  const roomId = await createRoom([ana, ben], { name: 'Long room' });
  const page = await visit(browser, { url: parley.url, person: ana });
  await enterRoom(page, 'Long room');
  const long = Array.from({ length: 1500 }, (_, index) => `w${String(index).padStart(4, '0')}`).join(' ');
  expect(long.length).toBe(8999);
  await write(page, `${long}!`);
  await page.getByText('9,000 of 8,000 characters: 1,000 too many.').waitFor();
  await expect.poll(() => composer(page).inputValue()).toBe(`${long}!`);
  expect(await page.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true);
  await composer(page).press('Enter');
  await expect.poll(() => composer(page).inputValue()).toBe(`${long}!`);

  await composer(page).fill(long.slice(0, 7500));
  await page.getByText('7,500 of 8,000 characters').waitFor();
  await page.getByRole('button', { name: 'Send' }).click();
  await expect.poll(() => stored(ana, roomId)).toEqual([long.slice(0, 7500)]);

  // Characters are what people see, not halves of surrogate pairs.
  await composer(page).fill('🌷'.repeat(8000));
  await page.getByText('8,000 of 8,000 characters').waitFor();
  expect(await page.getByRole('button', { name: 'Send' }).isEnabled()).toBe(true);
  await composer(page).fill('🌷'.repeat(8001));
  await page.getByText('1 too many').waitFor();
  expect(await page.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true);
});

test('a refused text is kept over a reload, can be sent again as it is, and can be changed', async () => {
  const { ana, ben } = await people();
  const roomId = await createRoom([ana, ben], { name: 'Muted room' });
  const mute = (seconds: number) => mustCall(ana, 'PUT', `/v1/rooms/${roomId}/members/${ben.id}/mute`, { seconds });
  const page = await visit(browser, { url: parley.url, person: ben });
  await enterRoom(page, 'Muted room');
  await mute(600);
  await say(page, 'first try');
  await say(page, 'second try');
  await article(page, 'second try').getByText('You are muted in this room.').waitFor();
  await page.reload();
  await article(page, 'second try').getByText('You are muted in this room.').waitFor();

  // Back in the composer, before what is being written there.
  await write(page, 'meanwhile');
  await article(page, 'second try').getByRole('button', { name: 'Change text' }).click();
  await article(page, 'second try').waitFor({ state: 'detached' });
  await expect.poll(() => composer(page).inputValue()).toBe('second try\n\nmeanwhile');

  await article(page, 'first try').getByRole('button', { name: 'Discard' }).click();
  await confirm(page, 'Cancel');
  await mustCall(ana, 'DELETE', `/v1/rooms/${roomId}/members/${ben.id}/mute`);
  await article(page, 'first try').getByRole('button', { name: 'Try again' }).click();
  await expect.poll(() => stored(ana, roomId)).toEqual(['first try']);
  await composer(page).press('Enter');
  await expect.poll(() => stored(ana, roomId)).toEqual(['first try', 'second try\n\nmeanwhile']);
  await messages(page).getByText('Not sent').waitFor({ state: 'detached' });
});

test('what was written without a connection is sent once, in order, though the tab was closed and two came after it', async () => {
  const { ana, ben } = await people();
  const roomId = await createRoom([ana, ben], { name: 'Far room' });
  const page = await visit(browser, { url: parley.url, person: ana });
  const sockets = await controlSockets(page.context());
  await page.reload();
  await enterRoom(page, 'Far room');
  sockets.cut();
  await page.getByText('Reconnecting').waitFor();
  await say(page, 'one');
  await say(page, 'two');
  await write(page, 'three, half');
  await article(page, 'two').getByText('Sending …').waitFor();
  await page.close();

  const [left, right] = [await page.context().newPage(), await page.context().newPage()];
  await Promise.all([left, right].map((tab) => tab.goto(`${parley.url}/#/rooms/${roomId}`)));
  await Promise.all([left, right].map((tab) => tab.getByText('Reconnecting').waitFor()));
  sockets.restore();
  for (const tab of [left, right]) {
    await article(tab, 'two').waitFor({ timeout: 60_000 });
    await messages(tab).getByText('Sending …').first().waitFor({ state: 'detached', timeout: 60_000 });
    await expect.poll(() => messages(tab).getByRole('article').count()).toBe(2);
    await expect.poll(() => composer(tab).inputValue()).toBe('three, half');
  }
  expect(await stored(ben, roomId)).toEqual(['one', 'two']);
});

test('two tabs show one draft: what one writes or sends, the other follows', async () => {
  const { ana, ben } = await people();
  const roomId = await createRoom([ana, ben], { name: 'Two tabs' });
  const left = await visit(browser, { url: parley.url, person: ana });
  const right = await left.context().newPage();
  await enterRoom(left, 'Two tabs');
  await right.goto(`${parley.url}/#/rooms/${roomId}`);
  await messages(right).waitFor();
  await write(left, 'from the left');
  await expect.poll(() => composer(right).inputValue()).toBe('from the left');
  await right.bringToFront();
  await composer(right).press('End');
  await right.keyboard.insertText(', ended on the right');
  await expect.poll(() => composer(left).inputValue()).toBe('from the left, ended on the right');
  await composer(right).press('Enter');
  await expect.poll(() => composer(left).inputValue()).toBe('');
  await expect.poll(() => stored(ben, roomId)).toEqual(['from the left, ended on the right']);
});

test('logging out with unsent texts asks first, and nothing goes out in the name of the next person', async () => {
  const { ana, ben } = await people();
  const roomId = await createRoom([ana, ben], { name: 'Shared desk' });
  const page = await visit(browser, { url: parley.url, person: ana });
  const sockets = await controlSockets(page.context());
  await page.reload();
  await enterRoom(page, 'Shared desk');
  sockets.cut();
  await page.getByText('Reconnecting').waitFor();
  await say(page, 'written by ana');
  await write(page, 'a draft of ana');
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByText('There are drafts or messages that were not sent.').waitFor();
  await confirm(page, 'Cancel');
  await article(page, 'written by ana').waitFor();
  await page.getByRole('button', { name: 'Log out' }).click();
  await confirm(page, 'Log out');
  sockets.restore();
  await page.getByLabel('Username').fill(ben.username);
  await page.getByLabel('Password').fill(ben.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await enterRoom(page, 'Shared desk');
  await expect.poll(() => composer(page).inputValue()).toBe('');
  await say(page, 'written by ben');
  await expect.poll(() => stored(ana, roomId)).toEqual(['written by ben']);
  expect(await page.evaluate('Object.keys(localStorage).filter((key) => key !== "parley.session")')).toEqual([]);
});
