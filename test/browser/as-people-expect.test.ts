import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { article, devices, enterRoom, messages, openPageStage, visit } from '../harness/page-visits.ts';
import { createRoom, mustCall, signUp } from '../harness/test-client.ts';

const stage = openPageStage();

/** One pixel. */
const picture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

for (const [device, options] of devices)
  test(`on a ${device} the reasons of a report are shown beside round buttons of normal size`, async () => {
    const { ana, roomId, send } = await stage.roomOfTwo(`Report ${device}`);
    await send('ben', 'something to report');
    const page = await visit(stage.browser, { url: stage.url, person: ana, options });
    await enterRoom(page, 'Report');
    await article(page, 'something to report').getByRole('button', { name: 'Report' }).focus();
    await page.keyboard.press('Enter');
    const choices = page.getByRole('radio');
    await expect.poll(() => choices.count()).toBe(4);
    for (const choice of await choices.all()) {
      const box = (await choice.boundingBox())!;
      expect([box.width, box.height].every((size) => size >= 10 && size <= 24)).toBe(true);
      expect(Math.abs(box.width - box.height)).toBeLessThanOrEqual(1);
      const label = choice.locator('xpath=..');
      // The words are on the same line.
      const words = (await label.boundingBox())!;
      expect(words.width).toBeGreaterThan(100);
      expect(words.height).toBeLessThan(40);
    }
    await page.getByLabel('Sexual content').check();
    await page.getByRole('button', { name: 'Send report' }).click();
    await page.getByText('Thank you.').waitFor();
    const queue = await mustCall(ana, 'GET', `/v1/moderation/queue?roomId=${roomId}`);
    expect(JSON.stringify(queue)).toContain('Sexual content');
  });

test('a user’s picture is shown everywhere, and their initial where it cannot be loaded', async () => {
  const { ana, ben, send } = await stage.roomOfTwo('Gallery');
  await mustCall(ana, 'PATCH', '/v1/users/me', { avatarUrl: 'https://pictures.example/ana.png' });
  await mustCall(ben, 'PATCH', '/v1/users/me', { avatarUrl: 'https://pictures.example/gone.png' });
  await send('ana', 'look at me');
  await send('ben', 'look at nothing');
  const page = await visit(stage.browser, { url: stage.url, person: ben });
  const referrers: (string | undefined)[] = [];
  await page.route('https://pictures.example/**', (route) => {
    referrers.push(route.request().headers().referer);
    return route.request().url().endsWith('ana.png')
      ? route.fulfill({ contentType: 'image/png', body: picture })
      : route.fulfill({ status: 404 });
  });
  await page.reload();
  await enterRoom(page, 'Gallery');
  const loaded = (image: Element) => (image as HTMLImageElement).naturalWidth;
  await expect.poll(() => article(page, 'look at me').locator('img.avatar').evaluate(loaded)).toBe(1);
  await article(page, 'look at nothing').locator('span.avatar').waitFor();
  await page.getByRole('button', { name: '2 people' }).click();
  const dialog = page.getByRole('dialog', { name: 'People in Gallery' });
  await expect.poll(() => dialog.locator('img.avatar').evaluate(loaded)).toBe(1);
  await dialog.locator('span.avatar').waitFor();
  // The picture's host does not learn of the room.
  expect(new Set(referrers)).toEqual(new Set([undefined]));

  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: /^Account settings/ }).click();
  await page.getByLabel('Picture').fill('https://pictures.example/new-ana.png');
  await page.getByRole('button', { name: 'Save profile' }).click();
  await page.getByText('Saved.').waitFor();
  await expect.poll(() => page.locator('.own-picture img').evaluate(loaded)).toBe(1);
  await page.getByRole('button', { name: 'Close' }).click();
  await expect.poll(() => article(page, 'look at nothing').locator('img.avatar').evaluate(loaded)).toBe(1);
});

test('the beginning of a room and of a direct message is labelled', async () => {
  const { ana, ben } = await stage.roomOfTwo('Kitchen');
  await mustCall(ben, 'PATCH', '/v1/users/me', { displayName: 'Ben B.' });
  await mustCall(ana, 'POST', '/v1/dms', { userIds: [ben.id] });
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await enterRoom(page, 'Kitchen');
  await messages(page).getByText('This is the beginning of Kitchen', { exact: true }).waitFor();
  await enterRoom(page, 'Ben B.');
  await messages(page).getByText('This is the beginning of your conversation with Ben B.', { exact: true }).waitFor();
  await page.getByRole('button', { name: '2 people' }).click();
  await page.getByRole('heading', { name: 'People in this conversation' }).waitFor();
});

test('only mentions of members are highlighted', async () => {
  const { ben, send } = await stage.roomOfTwo('Names');
  const stranger = await signUp(stage.url);
  await send('ana', `@${ben.username}, do you know @nobody-here or @${stranger.username}?`);
  const page = await visit(stage.browser, { url: stage.url, person: ben });
  await enterRoom(page, 'Names');
  const text = article(page, 'do you know');
  await expect.poll(() => text.locator('.mention').allTextContents()).toEqual([`@${ben.username}`]);
  expect((await text.locator('.text').textContent())?.trim()).toBe(
    `@${ben.username}, do you know @nobody-here or @${stranger.username}?`,
  );
});

test('the list of public rooms opens rooms of the user’s own and joins the others, and its buttons say so', async () => {
  const { ana, ben } = await stage.twoPeople();
  await createRoom([ana], { name: 'Bakery one', visibility: 'public' });
  await createRoom([ben], { name: 'Bakery two', visibility: 'public' });
  const page = await visit(stage.browser, { url: stage.url, person: ana });
  await page.getByRole('button', { name: 'Browse' }).click();
  await page.getByLabel('Search rooms').fill('bakery');
  await buttons(page, ['Open Bakery one', 'Join Bakery two']);
  await page.getByText('1 person').first().waitFor();
  await page.getByRole('button', { name: 'Join Bakery two' }).click();
  await page.getByRole('heading', { name: 'Bakery two' }).waitFor();
  await page.getByRole('button', { name: 'Browse' }).click();
  await page.getByLabel('Search rooms').fill('bakery');
  await buttons(page, ['Open Bakery one', 'Open Bakery two']);
  await page.getByRole('button', { name: 'Open Bakery one' }).click();
  await page.getByRole('heading', { name: 'Bakery one' }).waitFor();
});

async function buttons(page: Page, names: readonly string[]): Promise<void> {
  const found = page.getByRole('dialog').getByRole('listitem').getByRole('button');
  await expect
    .poll(async () => (await found.evaluateAll((all) => all.map((each) => each.getAttribute('aria-label')))).sort())
    .toEqual([...names].sort());
}
