import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import {
  article,
  confirm,
  enterRoom,
  longPress,
  messages,
  openPageStage,
  phone,
  storedTexts,
  visit,
} from '../harness/page-visits.ts';
import { mustCall } from '../harness/test-client.ts';

const stage = openPageStage();

/** Sends a message from the page. Once it has arrived, everything before it has happened. */
async function marker(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
  await article(page, text).waitFor();
  await article(page, text).getByText('Sending …').waitFor({ state: 'detached' });
}

test('on a touch screen a tap on a message does nothing, wherever it lands', async () => {
  const { ana, roomId, send } = await stage.roomOfTwo('Tap garden');
  await send('ben', 'from the other');
  await send('ana', 'one of mine');
  await send('ana', 'two of mine');
  const page = await visit(stage.browser, { url: stage.url, person: ana, options: phone });
  await enterRoom(page, 'Tap garden');
  for (const text of ['from the other', 'one of mine', 'two of mine']) {
    const box = (await article(page, text).boundingBox())!;
    // The tools are above the right corner: a grid of taps over all of it.
    for (const up of [-6, 4, box.height / 2])
      for (const left of [12, 30, 60, 90, 120]) await page.touchscreen.tap(box.x + box.width - left, box.y + up);
  }
  await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
  await expect.poll(() => page.getByLabel('Edit message').count()).toBe(0);
  // A new message under the last tap shows no tools either, as it would under a mouse.
  for (let line = 0; line < 12; line++) await send('ben', `more ${line}`);
  await article(page, 'more 11').waitFor();
  await expect.poll(() => page.locator('.message.pointed').count()).toBe(0);
  await marker(page, 'after the taps');
  const kept = ['from the other', 'one of mine', 'two of mine', 'more 0', 'more 11', 'after the taps'];
  expect((await storedTexts(ana, roomId)).filter((text) => !/^more ([1-9]|10)$/.test(text))).toEqual(kept);
});

test('a long press opens the actions on a message, and deleting asks first', async () => {
  const { ana, roomId, send } = await stage.roomOfTwo('Press garden');
  await send('ana', 'a word of mine');
  await send('ben', 'a word of theirs');
  const page = await visit(stage.browser, { url: stage.url, person: ana, options: phone });
  await enterRoom(page, 'Press garden');

  const sheet = page.getByRole('dialog', { name: /^Message by/ });
  await longPress(page, article(page, 'a word of theirs'), sheet);
  await expect.poll(() => sheet.getByRole('button', { name: 'Report' }).count()).toBe(1);
  await expect.poll(() => sheet.getByRole('button', { name: 'Edit' }).count()).toBe(0);
  // Lifting the finger pressed nothing.
  await sheet.getByRole('button', { name: 'Close' }).tap();
  await sheet.waitFor({ state: 'detached' });

  await longPress(page, article(page, 'a word of mine'), sheet);
  await sheet.getByRole('button', { name: 'Delete' }).tap();
  const question = page.getByRole('dialog', { name: 'Delete message?' });
  await question.getByRole('button', { name: 'Cancel' }).tap();
  await question.waitFor({ state: 'detached' });
  await marker(page, 'still there');
  expect(await storedTexts(ana, roomId)).toContain('a word of mine');

  await longPress(page, article(page, 'a word of mine'), sheet);
  await sheet.getByRole('button', { name: 'Delete' }).tap();
  await question.getByRole('button', { name: 'Delete' }).tap();
  await messages(page).getByText('This message was deleted.').waitFor();
  expect(await storedTexts(ana, roomId)).toEqual(['', 'a word of theirs', 'still there']);
});

test('a finger that scrolls opens nothing', async () => {
  const { ana, send } = await stage.roomOfTwo('Scroll garden');
  await send('ana', 'do not open');
  const page = await visit(stage.browser, { url: stage.url, person: ana, options: phone });
  await enterRoom(page, 'Scroll garden');
  const box = (await article(page, 'do not open').boundingBox())!;
  const devtools = await page.context().newCDPSession(page);
  await page.clock.install();
  const at = (y: number) => [{ x: Math.round(box.x + 150), y: Math.round(y) }];
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: at(box.y + 10) });
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: at(box.y + 60) });
  await page.clock.runFor(5000);
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
});

test('with a mouse the tools show over a message, deleting asks, and Escape keeps the message', async () => {
  const { ana, roomId, send } = await stage.roomOfTwo('Mouse garden');
  await send('ana', 'to be kept');
  await send('ben', 'by another');
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'Mouse garden');
  const tools = article(page, 'to be kept').locator('.message-tools');
  await expect.poll(() => tools.evaluate((element) => getComputedStyle(element).pointerEvents)).toBe('none');

  await article(page, 'to be kept').hover();
  await tools.getByRole('button', { name: 'Delete' }).click();
  const question = page.getByRole('dialog', { name: 'Delete message?' });
  await question.waitFor();
  // The safe answer has the focus.
  await page.keyboard.press('Enter');
  await question.waitFor({ state: 'detached' });
  await article(page, 'to be kept').hover();
  await tools.getByRole('button', { name: 'Delete' }).click();
  await question.waitFor();
  await page.keyboard.press('Escape');
  await question.waitFor({ state: 'detached' });
  await marker(page, 'afterwards');
  expect(await storedTexts(ana, roomId)).toEqual(['to be kept', 'by another', 'afterwards']);

  // By the keyboard alone, as the owner of the room.
  await article(page, 'by another').getByRole('button', { name: 'Delete' }).focus();
  await page.keyboard.press('Enter');
  await question.waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await messages(page).getByText('This message was deleted.').waitFor();
});

test('leaving a room asks first', async () => {
  const { ben, roomId } = await stage.roomOfTwo('Leave garden');
  const page = await visit(stage.browser, { url: stage.url, person: ben });
  await enterRoom(page, 'Leave garden');
  await page.getByRole('button', { name: '2 people' }).click();
  await page.getByRole('button', { name: 'Leave room' }).click();
  await page.getByText('you need an invitation to come back').waitFor();
  await confirm(page, 'Cancel');
  await page.getByRole('button', { name: 'Leave room' }).click();
  expect((await mustCall(ben, 'GET', `/v1/rooms/${roomId}`)).memberCount).toBe(2);
  await confirm(page, 'Leave');
  await page.getByText('Choose a room').waitFor();
  expect((await ben.call('GET', `/v1/rooms/${roomId}`)).status).toBe(404);
});

test('ending another login asks first, and so does logging out as a guest', async () => {
  const { ana } = await stage.roomOfTwo('Login garden');
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await page.getByRole('button', { name: /^Account settings/ }).click();
  await page.getByRole('button', { name: 'Devices' }).click();
  await page.getByRole('button', { name: 'Log out everywhere else' }).click();
  await confirm(page, 'Cancel');
  expect((await ana.call('GET', '/v1/users/me')).status).toBe(200);
  await page.getByRole('button', { name: 'Log out everywhere else' }).click();
  await confirm(page, 'Log out');
  await expect.poll(async () => (await ana.call('GET', '/v1/users/me')).status).toBe(401);

  const guest = await (await stage.browser.newContext()).newPage();
  await guest.goto(stage.url);
  await guest.getByRole('button', { name: 'Continue as guest' }).click();
  await guest.getByLabel('Display name').fill('Passer-by');
  await guest.getByRole('button', { name: 'Continue as guest' }).click();
  await guest.getByRole('button', { name: 'New room' }).waitFor();
  await guest.getByRole('button', { name: 'Log out' }).click();
  await guest.getByText('you lose this account for good').waitFor();
  await confirm(guest, 'Cancel');
  await guest.getByRole('button', { name: 'New room' }).waitFor();
  await guest.getByRole('button', { name: 'Log out' }).click();
  await confirm(guest, 'Log out');
  await guest.getByLabel('Username').waitFor();
});

test('deleting a moderation rule asks first', async () => {
  const { ana, roomId } = await stage.roomOfTwo('Rule garden');
  await mustCall(ana, 'POST', '/v1/moderation/rules', { kind: 'word', action: 'flag', pattern: 'thistle', roomId });
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'Rule garden');
  await page.getByRole('button', { name: 'Moderation' }).click();
  await page.getByRole('button', { name: 'Rules' }).click();
  const rules = async () => (await mustCall(ana, 'GET', `/v1/moderation/rules?roomId=${roomId}`)).items?.length;
  await page.getByRole('button', { name: 'Delete rule thistle' }).click();
  await confirm(page, 'Cancel');
  expect(await rules()).toBe(1);
  await page.getByRole('button', { name: 'Delete rule thistle' }).click();
  await confirm(page, 'Delete');
  await page.getByText('No rules yet.').waitFor();
  expect(await rules()).toBe(0);
});
