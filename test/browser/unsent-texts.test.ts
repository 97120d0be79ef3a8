import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import {
  article,
  confirm,
  controlSockets,
  enterRoom,
  messages,
  openPageStage,
  say,
  storedTexts,
  visit,
} from '../harness/page-visits.ts';
import { createRoom, mustCall } from '../harness/test-client.ts';

const stage = openPageStage();

const composer = (page: Page) => page.getByLabel('Message', { exact: true });
const write = async (page: Page, text: string) => {
  await composer(page).focus();
  await page.keyboard.insertText(text);
};
test('each room keeps its draft over a change of rooms and a reload', async () => {
  const { ana, ben } = await stage.twoPeople();
  await createRoom([ana, ben], { name: 'Roses' });
  await createRoom([ana, ben], { name: 'Tulips' });
  const page = await visit(stage.browser, { url: stage.url, person: ana });
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

test('a text that is too long is kept whole, and its length is shown before it can be sent', async () => {
  const { ana, roomId } = await stage.roomOfTwo('Long room');
  const page = await visit(stage.browser, { url: stage.url, person: ana });
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
  await expect.poll(() => storedTexts(ana, roomId)).toEqual([long.slice(0, 7500)]);

  // The limit counts code points, not halves of surrogate pairs.
  await composer(page).fill('🌷'.repeat(8000));
  await page.getByText('8,000 of 8,000 characters').waitFor();
  expect(await page.getByRole('button', { name: 'Send' }).isEnabled()).toBe(true);
  await composer(page).fill('🌷'.repeat(8001));
  await page.getByText('1 too many').waitFor();
  expect(await page.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true);
});

test('a refused text survives a reload, can be sent again unchanged, and can be edited', async () => {
  const { ana, ben, roomId } = await stage.roomOfTwo('Muted room');
  const mute = (seconds: number) => mustCall(ana, 'PUT', `/v1/rooms/${roomId}/members/${ben.id}/mute`, { seconds });
  const page = await visit(stage.browser, { url: stage.url, person: ben });
  await enterRoom(page, 'Muted room');
  await mute(600);
  await say(page, 'first try');
  await say(page, 'second try');
  await article(page, 'second try').getByText('You are muted in this room.').waitFor();
  await page.reload();
  await article(page, 'second try').getByText('You are muted in this room.').waitFor();

  // It comes back into the composer, before the draft.
  await write(page, 'a draft');
  await article(page, 'second try').getByRole('button', { name: 'Change text' }).click();
  await article(page, 'second try').waitFor({ state: 'detached' });
  await expect.poll(() => composer(page).inputValue()).toBe('second try\n\na draft');

  await article(page, 'first try').getByRole('button', { name: 'Discard' }).click();
  await confirm(page, 'Cancel');
  await mustCall(ana, 'DELETE', `/v1/rooms/${roomId}/members/${ben.id}/mute`);
  await article(page, 'first try').getByRole('button', { name: 'Try again' }).click();
  await expect.poll(() => storedTexts(ana, roomId)).toEqual(['first try']);
  await composer(page).press('Enter');
  await expect.poll(() => storedTexts(ana, roomId)).toEqual(['first try', 'second try\n\na draft']);
  await messages(page).getByText('Not sent').waitFor({ state: 'detached' });
});

test('messages written offline are sent once and in order, even after the tab was closed and two others opened', async () => {
  const { ana, ben, roomId } = await stage.roomOfTwo('Far room');
  const page = await visit(stage.browser, { url: stage.url, person: ana });
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
  await Promise.all([left, right].map((tab) => tab.goto(`${stage.url}/#/rooms/${roomId}`)));
  await Promise.all([left, right].map((tab) => tab.getByText('Reconnecting').waitFor()));
  sockets.restore();
  for (const tab of [left, right]) {
    await article(tab, 'two').waitFor({ timeout: 60_000 });
    await messages(tab).getByText('Sending …').first().waitFor({ state: 'detached', timeout: 60_000 });
    await expect.poll(() => messages(tab).getByRole('article').count()).toBe(2);
    await expect.poll(() => composer(tab).inputValue()).toBe('three, half');
  }
  expect(await storedTexts(ben, roomId)).toEqual(['one', 'two']);
});

test('two tabs share one draft: each follows what the other writes or sends', async () => {
  const { ana, ben, roomId } = await stage.roomOfTwo('Two tabs');
  const left = await visit(stage.browser, { url: stage.url, person: ana });
  const right = await left.context().newPage();
  await enterRoom(left, 'Two tabs');
  await right.goto(`${stage.url}/#/rooms/${roomId}`);
  await messages(right).waitFor();
  await write(left, 'from the left');
  await expect.poll(() => composer(right).inputValue()).toBe('from the left');
  await right.bringToFront();
  await composer(right).press('End');
  await right.keyboard.insertText(', ended on the right');
  await expect.poll(() => composer(left).inputValue()).toBe('from the left, ended on the right');
  await composer(right).press('Enter');
  await expect.poll(() => composer(left).inputValue()).toBe('');
  await expect.poll(() => storedTexts(ben, roomId)).toEqual(['from the left, ended on the right']);
});

test('logging out with unsent texts asks first, and nothing is sent in the name of the next user', async () => {
  const { ana, ben, roomId } = await stage.roomOfTwo('Shared computer');
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  const sockets = await controlSockets(page.context());
  await page.reload();
  await enterRoom(page, 'Shared computer');
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
  await enterRoom(page, 'Shared computer');
  await expect.poll(() => composer(page).inputValue()).toBe('');
  await say(page, 'written by ben');
  await expect.poll(() => storedTexts(ana, roomId)).toEqual(['written by ben']);
  // The page forgets what it sent once it has the answer.
  const keptKeys = () => page.evaluate('Object.keys(localStorage).filter((key) => key !== "parley.session")');
  await expect.poll(keptKeys).toEqual([]);
});
