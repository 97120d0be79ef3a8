import type { Locator, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import {
  article,
  confirm,
  devices,
  enterRoom,
  longPress,
  messages,
  openPageStage,
  say,
  visit,
} from '../harness/page-visits.ts';
import { createRoom, mustCall, type TestUser } from '../harness/test-client.ts';

const stage = openPageStage();

/** A room with ana's messages `line 1` to `line 30`, which ben has not read. */
async function talk(name: string): Promise<{ ana: TestUser; ben: TestUser; roomId: string }> {
  const { ana, ben, roomId, send } = await stage.roomOfTwo(name);
  for (let line = 1; line <= 30; line++) await send('ana', `line ${line} of ana`);
  return { ana, ben, roomId };
}

const composer = (page: Page) => page.getByLabel('Message', { exact: true });
const editor = (page: Page) => page.getByLabel('Edit message');
const line = (page: Page, number: number) => article(page, `line ${number} of`);
const isInView = (element: Locator) =>
  element.evaluate((each) => {
    const inner = each.getBoundingClientRect();
    const outer = each.closest('[role=log]')!.getBoundingClientRect();
    return inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
  });
const height = async (element: Locator) => (await element.boundingBox())!.height;
const paragraph = 'a sentence that goes on and on so that it does not fit into one line of the composer. '.repeat(3);

for (const [device, options] of devices)
  test(`on a ${device} the composer grows with its text up to a bound, and shrinks again`, async () => {
    const { ana } = await talk(`Growing ${device}`);
    const page = await visit(stage.browser, { url: stage.url, person: ana, options });
    await enterRoom(page, 'Growing');
    const empty = await height(composer(page));
    await composer(page).fill(paragraph);
    const some = await height(composer(page));
    expect(some).toBeGreaterThan(empty * 1.8);
    // All of it shows.
    await expect
      .poll(() => composer(page).evaluate((box) => box.scrollHeight - box.clientHeight))
      .toBeLessThanOrEqual(1);
    await composer(page).fill('one\ntwo\nthree\nfour\n');
    await expect
      .poll(() => composer(page).evaluate((box) => box.scrollHeight - box.clientHeight))
      .toBeLessThanOrEqual(1);
    await composer(page).fill(paragraph.repeat(20));
    const bound = await height(composer(page));
    expect(bound).toBeGreaterThan(some);
    expect(bound).toBeLessThanOrEqual(page.viewportSize()!.height * 0.42);
    expect(await isInView(line(page, 30))).toBe(true);
    await composer(page).fill('');
    expect(await height(composer(page))).toBe(empty);
  });

test('ArrowUp in the empty composer edits the newest message, with Save in view, and the focus returns', async () => {
  const { ana } = await talk('Arrow');
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'Arrow');
  await line(page, 30).waitFor();
  await composer(page).press('ArrowUp');
  await expect.poll(() => editor(page).inputValue()).toBe('line 30 of ana');
  await expect.poll(() => editor(page).evaluate((box) => box === document.activeElement)).toBe(true);
  const save = messages(page).getByRole('button', { name: 'Save' });
  expect(await isInView(save)).toBe(true);
  await page.keyboard.insertText(`, changed\n${paragraph.repeat(12)}`);
  expect(await isInView(save)).toBe(true);
  await editor(page).fill('line 30 of ana, changed');
  await page.keyboard.press('Enter');
  await messages(page).getByText('line 30 of ana, changed').waitFor();
  await expect.poll(() => composer(page).evaluate((box) => box === document.activeElement)).toBe(true);

  // Without a change Escape leaves at once; with one it asks.
  await composer(page).press('ArrowUp');
  await page.keyboard.press('Escape');
  await editor(page).waitFor({ state: 'detached' });
  await expect.poll(() => composer(page).evaluate((box) => box === document.activeElement)).toBe(true);
  await composer(page).press('ArrowUp');
  await page.keyboard.insertText(' again');
  await page.keyboard.press('Escape');
  await confirm(page, 'Cancel');
  await expect.poll(() => editor(page).inputValue()).toBe('line 30 of ana, changed again');
  await editor(page).press('Escape');
  await confirm(page, 'Discard');
  await editor(page).waitFor({ state: 'detached' });
  // In a text the key moves the caret, and nothing else.
  await composer(page).fill('some text');
  await composer(page).press('ArrowUp');
  await expect.poll(() => editor(page).count()).toBe(0);
});

for (const [device, options] of devices)
  test(`on a ${device} the buttons of an edit at the lower edge are in view`, async () => {
    const { ana } = await talk(`Edge ${device}`);
    const page = await visit(stage.browser, { url: stage.url, person: ana, options });
    await enterRoom(page, 'Edge');
    await line(page, 30).waitFor();
    // The list is not at its end, and the message is the last one in view.
    await line(page, 20).evaluate((each) => each.scrollIntoView({ block: 'end' }));
    if (device === 'phone') {
      const sheet = page.getByRole('dialog', { name: /^Message by/ });
      await longPress(page, line(page, 20), sheet);
      await sheet.getByRole('button', { name: 'Edit' }).tap();
    } else {
      await line(page, 20).hover();
      await line(page, 20).getByRole('button', { name: 'Edit' }).click();
    }
    await expect.poll(() => editor(page).inputValue()).toBe('line 20 of ana');
    const save = messages(page).getByRole('button', { name: 'Save' });
    await expect.poll(() => isInView(save)).toBe(true);
    await editor(page).fill(`line 20 of ana\n${paragraph.repeat(3)}`);
    await expect.poll(() => isInView(save)).toBe(true);
    await save.click();
    await editor(page).waitFor({ state: 'detached' });
    await expect.poll(() => composer(page).evaluate((box) => box === document.activeElement)).toBe(true);
  });

test('a refused edit keeps its text and shows why; it survives a change of rooms and a reload', async () => {
  const { ana, ben, roomId } = await talk('Refused edit');
  await createRoom([ana, ben], { name: 'Elsewhere' });
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'Refused edit');
  await line(page, 30).waitFor();
  await composer(page).press('ArrowUp');
  const refused = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
  await editor(page).fill(refused);
  await page.keyboard.press('Enter');
  const alert = messages(page)
    .getByRole('alert')
    .getByText(/Blocked by moderation/);
  await alert.waitFor();
  expect(await isInView(alert)).toBe(true);
  await expect.poll(() => editor(page).inputValue()).toBe(refused);
  await enterRoom(page, 'Elsewhere');
  await enterRoom(page, 'Refused edit');
  await expect.poll(() => editor(page).inputValue()).toBe(refused);
  await page.reload();
  await expect.poll(() => editor(page).inputValue()).toBe(refused);
  await editor(page).fill('a better text');
  await editor(page).press('Enter');
  await messages(page).getByText('a better text').waitFor();
  const { messages: list } = await mustCall(ben, 'GET', `/v1/rooms/${roomId}/messages?limit=1`);
  expect((list as { text: string }[])[0]!.text).toBe('a better text');
});

test('a refusal is shown to a reader who has scrolled up, with a button that leads to the message', async () => {
  const { ana, ben, roomId } = await talk('Refused above');
  await mustCall(ana, 'PUT', `/v1/rooms/${roomId}/members/${ben.id}/mute`, { seconds: 600 });
  const page = await visit(stage.browser, { url: stage.url, person: ben });
  await enterRoom(page, 'Refused above');
  await line(page, 30).waitFor();
  await page.getByRole('button', { name: /jump to latest/i }).click();
  await say(page, 'not for now');
  const refusal = article(page, 'not for now').getByRole('alert');
  await refusal.waitFor();
  // At the end the whole refusal is in view, its buttons too.
  await expect.poll(() => isInView(article(page, 'not for now'))).toBe(true);
  await messages(page).evaluate((log) => {
    log.scrollTop = 0;
  });
  await page.getByText('A message was not sent.').waitFor();
  await page.getByRole('button', { name: /jump to latest/i }).click();
  await expect.poll(() => isInView(refusal)).toBe(true);
});
