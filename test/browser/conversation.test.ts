import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { violations } from '../harness/axe-check.ts';
import { article, devices, enterRoom, longPress, messages, openPageStage, say, visit } from '../harness/page-visits.ts';
import { mustCall } from '../harness/test-client.ts';

const stage = openPageStage();
const thread = (page: Page) => page.getByRole('complementary', { name: 'Thread' });
const threadLog = (page: Page) => page.getByRole('log', { name: 'Replies' });
const composer = (page: Page) => page.getByLabel('Message', { exact: true });

test('a thread is begun beside the room, counted at its first message, and read live by others', async () => {
  const { ana, ben, roomId, send } = await stage.roomOfTwo('Threads');
  await send('ana', 'Who waters the plants?');
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  const other = await visit(stage.browser, { url: stage.url, person: ben });
  for (const each of [page, other]) await enterRoom(each, 'Threads');

  await article(page, 'Who waters').hover();
  await article(page, 'Who waters').getByRole('link', { name: 'Reply in thread' }).click();
  await thread(page).getByRole('textbox', { name: 'Reply' }).fill('I do');
  await page.keyboard.press('Enter');
  await threadLog(page).getByText('I do').waitFor();
  await article(other, 'Who waters')
    .getByRole('link', { name: /1 reply/ })
    .click();
  await threadLog(other).getByText('I do').waitFor();
  // A thread message is in the room's history only where its author wants it.
  expect(await messages(other).getByText('I do').count()).toBe(0);
  expect(await violations(other)).toEqual([]);

  await thread(other)
    .getByLabel(/Also send to/)
    .check();
  await thread(other).getByRole('textbox', { name: 'Reply' }).fill('And I on Sunday');
  await thread(other).getByRole('button', { name: 'Reply', exact: true }).click();
  await messages(page).getByText('And I on Sunday').waitFor();
  await threadLog(page).getByText('And I on Sunday').waitFor();
  await article(page, 'Who waters')
    .getByRole('link', { name: /2 replies/ })
    .waitFor();
  const { items } = await mustCall(ana, 'GET', '/v1/threads');
  expect(items).toHaveLength(1);

  await page.getByRole('button', { name: 'Later' }).click();
  await page.getByRole('dialog', { name: 'Later' }).getByText('Who waters the plants?').waitFor();
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Close thread' }).click();
  await thread(page).waitFor({ state: 'detached' });
  expect(new URL(page.url()).hash).toBe(`#/rooms/${roomId}`);
});

for (const [device, options] of devices)
  test(`on a ${device} a reaction is chosen, shown to others, and taken back`, async () => {
    const { ana, ben, send } = await stage.roomOfTwo(`Reactions ${device}`);
    await send('ana', 'Pumpkins are ripe');
    const page = await visit(stage.browser, { url: stage.url, person: ben, options });
    const other = await visit(stage.browser, { url: stage.url, person: ana });
    for (const each of [page, other]) await enterRoom(each, 'Reactions');
    const message = article(page, 'Pumpkins');
    if (device === 'phone') {
      const sheet = page.getByRole('dialog', { name: /^Message by/ });
      await longPress(page, message, sheet);
      expect(await violations(page)).toEqual([]);
      await sheet.getByRole('button', { name: 'React with 🎉' }).tap();
    } else {
      await message.hover();
      await message.getByRole('button', { name: 'React', exact: true }).click();
      await page.getByLabel('Search emoji').fill('party pop');
      await page.getByRole('button', { name: 'party popper' }).waitFor();
      expect(await violations(page)).toEqual([]);
      await page.getByRole('button', { name: 'party popper' }).click();
    }
    await article(other, 'Pumpkins').getByRole('button', { name: /^🎉 1/ }).click();
    const both = message.getByRole('button', { name: /^🎉 2/ });
    await both.waitFor();
    expect(await both.getAttribute('aria-pressed')).toBe('true');
    await both.click();
    await article(other, 'Pumpkins')
      .getByRole('button', { name: /^🎉 1, by You/ })
      .waitFor();
    expect(await violations(page)).toEqual([]);
  });

test('names are completed by the keyboard, and a link leads to its message and marks it', async () => {
  const { ana, ben, roomId, send } = await stage.roomOfTwo('Mentions');
  const first = await send('ana', 'The very first line');
  for (let line = 1; line <= 60; line++) await send('ana', `line ${line}`);
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'Mentions');
  await composer(page).pressSequentially(`Hello @${ben.username.slice(0, 3)}`);
  await page.getByRole('option', { selected: true }).waitFor();
  const active = await composer(page).getAttribute('aria-activedescendant');
  expect(await page.getByRole('option', { selected: true }).getAttribute('id')).toBe(active);
  expect(await violations(page)).toEqual([]);
  await page
    .getByRole('option')
    .filter({ hasText: `@${ben.username}` })
    .click();
  await expect.poll(() => composer(page).inputValue()).toBe(`Hello @${ben.username} `);
  await page.keyboard.press('Enter');
  await article(page, 'Hello').locator('.mention').waitFor();
  await composer(page).pressSequentially('@ro');
  await page.getByRole('option', { name: /@room/ }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('option').first().waitFor({ state: 'detached' });
  await composer(page).fill('');

  await page.goto(`${stage.url}/#/rooms/${roomId}/messages/${first}`);
  const linked = article(page, 'The very first line');
  await linked.waitFor();
  await expect.poll(() => linked.evaluate((each) => each === document.activeElement)).toBe(true);
  await page.getByRole('button', { name: /Jump to latest/ }).click();
  await article(page, 'Hello').waitFor();
  // A message that does not exist is said to be gone, and the room is shown.
  await page.goto(`${stage.url}/#/rooms/${roomId}/messages/${roomId}`);
  await page.getByText('The message of this link is not there').waitFor();
});

test('a message is pinned for everybody, bookmarked for oneself, and forwarded', async () => {
  const { ana, ben, send } = await stage.roomOfTwo('Pins');
  await send('ana', 'The key is under the third pot');
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  const other = await visit(stage.browser, { url: stage.url, person: ben });
  for (const each of [page, other]) await enterRoom(each, 'Pins');
  const choose = async (name: string) => {
    await article(page, 'The key is').first().hover();
    await article(page, 'The key is').first().getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name }).click();
  };
  await choose('Pin');
  await article(other, 'The key is').getByText('Pinned').waitFor();
  await other.getByRole('link', { name: 'Pinned messages' }).click();
  const pins = other.getByRole('complementary', { name: 'Pinned messages' });
  await pins.getByText('The key is').waitFor();
  expect(await violations(other)).toEqual([]);
  await choose('Bookmark …');
  await page.getByLabel('Note').fill('Tell Carla');
  await page.getByRole('button', { name: 'Bookmark', exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await choose('Forward …');
  await page.getByRole('dialog', { name: 'Forward message' }).getByRole('button', { name: 'Forward' }).click();
  await article(other, 'Forwarded from').getByText('The key is').waitFor();
  await choose('Unpin');
  await pins.getByText('Nothing is pinned').waitFor();
  await page.getByRole('button', { name: 'Later' }).click();
  await page.getByRole('button', { name: 'Bookmarks' }).click();
  await page.getByText('Tell Carla').waitFor();
});

test('a text is sent later, and stays in the list until it is cancelled', async () => {
  const { ana } = await stage.roomOfTwo('Scheduled');
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'Scheduled');
  await composer(page).fill('See you tomorrow');
  await page.getByRole('button', { name: 'Add to message' }).click();
  await page.getByRole('menuitem', { name: 'Send later …' }).click();
  await page.getByLabel('When').selectOption('In 1 hour');
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Schedule', exact: true }).click();
  await expect.poll(() => composer(page).inputValue()).toBe('');
  await page.getByRole('button', { name: 'Later' }).click();
  await page.getByRole('button', { name: 'Scheduled', exact: true }).click();
  await page.getByText('See you tomorrow').waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('Nothing is scheduled').waitFor();
  await page.keyboard.press('Escape');
  await say(page, 'sent at once');
  await article(page, 'sent at once').waitFor();
});

test('files are sent with a text, a picture is opened and moved through by keys, and a poll is voted in', async () => {
  const { ana, ben } = await stage.roomOfTwo('Files');
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  const other = await visit(stage.browser, { url: stage.url, person: ben });
  for (const each of [page, other]) await enterRoom(each, 'Files');
  const pictures = await Promise.all(['#c0392b', '#27ae60'].map(pngOf));
  await page.locator('.composer .file-input').setInputFiles([
    { name: 'red.png', mimeType: 'image/png', buffer: pictures[0]! },
    { name: 'green.png', mimeType: 'image/png', buffer: pictures[1]! },
    { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('Water on Monday') },
  ]);
  const tray = page.getByRole('list', { name: 'Files of this message' });
  await tray.getByRole('button', { name: 'Remove notes.txt' }).click();
  expect(await tray.getByRole('listitem').count()).toBe(2);
  await composer(page).fill('The harvest');
  const sendButton = page.getByRole('button', { name: 'Send', exact: true });
  await expect.poll(() => sendButton.isEnabled()).toBe(true);
  await sendButton.click();
  const shown = article(other, 'The harvest');
  await shown.getByRole('button', { name: 'Open picture red.png' }).click();
  await other.getByText('1 of 2').waitFor();
  await other.keyboard.press('ArrowRight');
  await other.getByText('2 of 2').waitFor();
  expect(await violations(other)).toEqual([]);
  await other.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Add to message' }).click();
  await page.getByRole('menuitem', { name: 'Poll …' }).click();
  await page.getByLabel('Question').fill('What next?');
  await page.getByLabel('Option 1').fill('Pumpkins');
  await page.getByLabel('Option 2').fill('Beans');
  await page.getByRole('button', { name: 'Send poll' }).click();
  const beans = other.getByRole('group', { name: 'What next?' }).getByRole('button', { name: /Beans/ });
  await beans.click();
  await expect.poll(() => beans.getAttribute('aria-pressed')).toBe('true');
  await page.getByRole('group', { name: 'What next?' }).getByText('1 vote', { exact: true }).first().waitFor();
  expect(await violations(other)).toEqual([]);
});

function pngOf(background: string): Promise<Buffer> {
  return sharp({ create: { width: 320, height: 240, channels: 3, background } })
    .png()
    .toBuffer();
}
