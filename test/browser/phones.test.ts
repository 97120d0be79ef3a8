/** The page on a phone: touch, soft keyboards, small and changing screens, sleep, changing networks. */
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { startNginx } from '../harness/nginx.ts';
import {
  article,
  controlSockets,
  enterRoom,
  longPress,
  messages,
  openPageStage,
  phone,
  storedTexts,
  visit,
} from '../harness/page-visits.ts';
import { createRoom, mustCall, signUp } from '../harness/test-client.ts';

const stage = openPageStage();

const composer = (page: Page) => page.getByLabel('Message', { exact: true });
const sendButton = (page: Page) => page.getByRole('button', { name: 'Send', exact: true });
const isFocused = (page: Page) => composer(page).evaluate((box) => box === document.activeElement);

async function openRoom(name: string, options = phone) {
  const { ana, ben, roomId, send } = await stage.roomOfTwo(name);
  const page = await visit(stage.browser, { url: stage.url, person: ana, options });
  onTestFinished(() => page.context().close());
  await enterRoom(page, name);
  return { page, ana, ben, roomId, send };
}

/** Presses a key; `code` is the deprecated `keyCode` that the page sees. */
async function pressKey(devtools: CDPSession, key: string, code: number): Promise<void> {
  const text = key === 'Enter' && code === 13 ? { text: '\r' } : {};
  await devtools.send('Input.dispatchKeyEvent', {
    type: text.text ? 'keyDown' : 'rawKeyDown',
    key,
    code: key,
    windowsVirtualKeyCode: code,
    ...text,
  });
  await devtools.send('Input.dispatchKeyEvent', { type: 'keyUp', key, code: key, windowsVirtualKeyCode: code });
}

test('an Enter that ends an IME composition sends nothing, also as Safari reports it', async () => {
  const { page, ana, roomId } = await openRoom('IME', {});
  const devtools = await page.context().newCDPSession(page);
  await composer(page).focus();
  await devtools.send('Input.imeSetComposition', { text: 'にほん', selectionStart: 3, selectionEnd: 3 });
  await devtools.send('Input.insertText', { text: '日本' });
  // Safari ends the composition first and reports the key afterwards, as 229 and not composing.
  await pressKey(devtools, 'Enter', 229);
  expect(await composer(page).inputValue()).toBe('日本');
  await pressKey(devtools, 'Enter', 13);
  await article(page, '日本').waitFor();
  await expect.poll(() => storedTexts(ana, roomId)).toEqual(['日本']);
});

test('an Escape that ends an IME composition leaves an edit open', async () => {
  const { page, send } = await openRoom('IME edit', {});
  await send('ana', 'to be edited');
  await article(page, 'to be edited').waitFor();
  await composer(page).press('ArrowUp');
  const devtools = await page.context().newCDPSession(page);
  await page.keyboard.insertText('にほん');
  await pressKey(devtools, 'Escape', 229);
  expect(await page.getByRole('dialog').count()).toBe(0);
  expect(await page.getByLabel('Edit message').inputValue()).toContain('にほん');
});

test('Enter on a soft keyboard begins a new line, and Ctrl+Enter of an attached keyboard sends', async () => {
  const { page, ana, roomId } = await openRoom('Lines');
  await composer(page).tap();
  await page.keyboard.type('first');
  await page.keyboard.press('Enter');
  await page.keyboard.type('second');
  expect(await composer(page).inputValue()).toBe('first\nsecond');
  expect(await composer(page).getAttribute('enterkeyhint')).toBe('enter');
  await sendButton(page).tap();
  await article(page, 'second').waitFor();
  await page.keyboard.type('third');
  await page.keyboard.press('Control+Enter');
  await article(page, 'third').waitFor();
  await expect.poll(() => storedTexts(ana, roomId)).toEqual(['first\nsecond', 'third']);
});

test('predictive text that is still underlined is sent whole by a tap on Send, and the keyboard stays up', async () => {
  const { page, ana, roomId } = await openRoom('Predictive');
  const devtools = await page.context().newCDPSession(page);
  await composer(page).tap();
  await page.keyboard.insertText('see you ');
  // Keyboards with predictions report 229 for every key, and the word as a composition.
  await pressKey(devtools, 'Unidentified', 229);
  await devtools.send('Input.imeSetComposition', { text: 'tomorrow', selectionStart: 8, selectionEnd: 8 });
  expect(await composer(page).inputValue()).toBe('see you tomorrow');
  await sendButton(page).tap();
  await article(page, 'see you tomorrow').waitFor();
  expect(await composer(page).inputValue()).toBe('');
  expect(await isFocused(page)).toBe(true);
  await expect.poll(() => storedTexts(ana, roomId)).toEqual(['see you tomorrow']);
});

test('a double tap on Send sends once, and so does one on Create room', async () => {
  const { page, ana, roomId } = await openRoom('Double tap');
  await composer(page).fill('only once');
  // Two clicks before the page has drawn anything.
  await sendButton(page).evaluate((button) => {
    (button as HTMLButtonElement).click();
    (button as HTMLButtonElement).click();
  });
  await article(page, 'only once').waitFor();
  await composer(page).fill('marker');
  await sendButton(page).tap();
  await article(page, 'marker').waitFor();
  await expect.poll(() => storedTexts(ana, roomId)).toEqual(['only once', 'marker']);

  await page.goto(`${stage.url}/#/`);
  await page.getByRole('button', { name: 'New room' }).tap();
  await page.getByLabel('Room name').fill('Made once');
  await page.getByRole('button', { name: 'Create room' }).evaluate((button) => {
    (button as HTMLButtonElement).click();
    (button as HTMLButtonElement).click();
  });
  await page.getByRole('heading', { name: 'Made once' }).waitFor();
  const { items } = await mustCall(ana, 'GET', '/v1/rooms');
  expect(items!.filter(({ name }) => name === 'Made once')).toHaveLength(1);
});

test('the composer stays above a keyboard that covers the page, as in Safari', async () => {
  const { page, send } = await openRoom('Covered');
  for (let line = 0; line < 40; line++) await send('ben', `line ${line}`);
  await article(page, 'line 39').waitFor();
  // Safari leaves the layout as it is and shrinks the visual viewport alone.
  const cover = (height: number, offsetTop: number) =>
    page.evaluate(
      ([visible, top]) => {
        for (const [name, value] of [
          ['height', visible],
          ['offsetTop', top],
        ] as const)
          Object.defineProperty(visualViewport, name, { configurable: true, get: () => value });
        visualViewport!.dispatchEvent(new Event('resize'));
      },
      [height, offsetTop] as const,
    );
  const lowerEdge = () => page.locator('.composer').evaluate((form) => form.getBoundingClientRect().bottom);
  expect(await lowerEdge()).toBeCloseTo(844, 0);
  await cover(500, 0);
  await expect.poll(lowerEdge).toBeCloseTo(500, 0);
  // The newest message is still in view.
  await expect
    .poll(() => messages(page).evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight))
    .toBe(0);
  // Safari may pan the page up by some of the keyboard's height.
  await cover(500, 200);
  await expect.poll(lowerEdge).toBeCloseTo(700, 0);
  await cover(844, 0);
  await expect.poll(lowerEdge).toBeCloseTo(844, 0);
});

test('a keyboard that resizes the page leaves the newest message in view, and the page requests it of Chrome', async () => {
  const { page, send } = await openRoom('Resized');
  for (let line = 0; line < 40; line++) await send('ben', `line ${line}`);
  await article(page, 'line 39').waitFor();
  const viewport = await page.locator('meta[name=viewport]').getAttribute('content');
  expect(viewport).toContain('interactive-widget=resizes-content');
  // Users can still zoom.
  expect(viewport).not.toMatch(/maximum-scale|user-scalable/);
  await page.setViewportSize({ width: 390, height: 480 });
  await expect
    .poll(() => messages(page).evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight))
    .toBe(0);
  expect((await composer(page).boundingBox())!.y).toBeLessThan(480);
});

test('notch and home bar cover no control', async () => {
  const { page } = await openRoom('Notch');
  const devtools = await page.context().newCDPSession(page);
  const [top, bottom, left, right] = [47, 34, 44, 44];
  await devtools.send(
    'Emulation.setSafeAreaInsetsOverride' as never,
    { insets: { top, bottom, left, right } } as never,
  );
  expect(await page.locator('meta[name=viewport]').getAttribute('content')).toContain('viewport-fit=cover');
  const isInside = async (selector: string) => {
    const box = await page.locator(selector).boundingBox();
    // The page may be drawing the element again.
    return (
      box !== null &&
      box.y >= top &&
      box.y + box.height <= 844 - bottom &&
      box.x >= left &&
      box.x + box.width <= 390 - right
    );
  };
  await expect.poll(() => isInside('.composer textarea')).toBe(true);
  for (const part of ['.composer button.primary', '.room-head .back', '.room-head h1'])
    await expect.poll(() => isInside(part), { message: part }).toBe(true);
  await page.goto(`${stage.url}/#/`);
  for (const part of ['.rooms .brand', '.rooms .me', 'nav .room >> nth=0'])
    await expect.poll(() => isInside(part), { message: part }).toBe(true);
  await page.getByRole('button', { name: 'New room' }).tap();
  await expect.poll(() => isInside('dialog h2')).toBe(true);
});

/** iOS zooms into fields with a font below 16 px, and stays zoomed. */
async function expectNoZoom(page: Page, where: string): Promise<void> {
  const small = await page
    .locator('input:not([type=checkbox], [type=radio]), textarea, select')
    .evaluateAll((fields) =>
      fields
        .filter((field) => Number.parseFloat(getComputedStyle(field).fontSize) < 16)
        .map((field) => field.outerHTML.slice(0, 80)),
    );
  expect(small, where).toEqual([]);
}

test('no field is so small that iOS zooms into it', async () => {
  const fresh = await (await stage.browser.newContext(phone)).newPage();
  await fresh.goto(stage.url);
  await fresh.getByRole('button', { name: 'Sign up' }).tap();
  await expectNoZoom(fresh, 'sign up');
  const { page, send } = await openRoom('Fields');
  await send('ben', 'to be reported');
  await expectNoZoom(page, 'room');
  const sheet = page.getByRole('dialog', { name: /^Message by/ });
  for (const action of ['Report', 'Moderate']) {
    await longPress(page, article(page, 'to be reported'), sheet);
    await sheet.getByRole('button', { name: action }).tap();
    await expectNoZoom(page, action);
    await page.getByRole('button', { name: 'Close' }).tap();
  }
  await page.getByRole('button', { name: '2 people' }).tap();
  await page.getByRole('button', { name: 'Invite by link' }).tap();
  await page.getByLabel('Invite link').first().waitFor();
  await expectNoZoom(page, 'people');
  await page.getByRole('button', { name: 'Close' }).tap();
  await page.getByRole('button', { name: 'Moderation' }).tap();
  for (const pane of ['Queue', 'Rules', 'Slow mode']) {
    await page.getByRole('button', { name: pane, exact: true }).tap();
    await expectNoZoom(page, pane);
  }
  await page.getByRole('button', { name: 'Close' }).tap();
  await page.goto(`${stage.url}/#/`);
  for (const name of ['New room', 'Browse', /^Account settings/]) {
    await page.getByRole('button', { name }).tap();
    await expectNoZoom(page, String(name));
    await page.getByRole('button', { name: 'Close' }).tap();
  }
});

test('pulling the history down does not reload the page', async () => {
  const { page } = await openRoom('Pull');
  for (const selector of ['html', 'body', '.messages'])
    expect(await page.locator(selector).evaluate((each) => getComputedStyle(each).overscrollBehaviorY)).toMatch(
      /none|contain/,
    );
});

test('the text of a message is copied on pages without https too', async () => {
  const { page, send } = await openRoom('Copy');
  await send('ben', 'worth keeping');
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
  const sheet = page.getByRole('dialog', { name: /^Message by/ });
  await longPress(page, article(page, 'worth keeping'), sheet);
  await page.evaluate(() => {
    addEventListener('copy', () => {
      document.title = `copied: ${(document.activeElement as HTMLTextAreaElement).value}`;
    });
  });
  await sheet.getByRole('button', { name: 'Copy text' }).tap();
  await expect.poll(() => page.title()).toBe('copied: worth keeping');
});

test('a page that was frozen for a while has everything once, and sends what was written before', async () => {
  const { page, ana, send, roomId } = await openRoom('Frozen');
  await send('ben', 'before');
  await article(page, 'before').waitFor();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
  for (let line = 0; line < 5; line++) await send('ben', `while frozen ${line}`);
  await devtools.send('Page.setWebLifecycleState', { state: 'active' });
  await article(page, 'while frozen 4').waitFor();
  await composer(page).fill('after');
  await sendButton(page).tap();
  await article(page, 'after').waitFor();
  await expect.poll(() => storedTexts(ana, roomId)).toHaveLength(7);
  await expect.poll(() => messages(page).getByRole('article').count()).toBe(7);
});

for (const [what, wake] of [
  ['visible again', 'document.dispatchEvent(new Event("visibilitychange", { bubbles: true }))'],
  ['shown again', 'dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))'],
  ['in another network', 'dispatchEvent(new Event("online"))'],
] as const)
  test(`a page that is ${what} notices a dead connection at once, and loses nothing`, async () => {
    const { ana, send, roomId } = await stage.roomOfTwo(`Asleep, ${what}`);
    const page = await visit(stage.browser, { url: stage.url, person: ana, options: phone });
    onTestFinished(() => page.context().close());
    const sockets = await controlSockets(page.context());
    await page.reload();
    await enterRoom(page, 'Asleep');
    await messages(page)
      .getByText(/beginning/)
      .waitFor();
    // The phone slept and the network dropped the connection: no close arrives.
    sockets.silence();
    await send('ben', 'sent in between');
    await composer(page).fill('written on a dead connection');
    await sendButton(page).tap();
    await page.evaluate(wake);
    // The heartbeat alone notices it after up to half a minute.
    await article(page, 'sent in between').waitFor({ timeout: 12_000 });
    await messages(page).getByText('Sending …').waitFor({ state: 'detached' });
    expect(await storedTexts(ana, roomId)).toEqual(['sent in between', 'written on a dead connection']);
    expect(await messages(page).getByRole('article').count()).toBe(2);
  });

test('a page that waits for its next attempt connects at once when it is visible again', async () => {
  const { ana, send } = await stage.roomOfTwo('Waits');
  const page = await visit(stage.browser, { url: stage.url, person: ana, options: phone });
  onTestFinished(() => page.context().close());
  const sockets = await controlSockets(page.context());
  // The longest pauses that the back-off allows.
  await page.addInitScript('Math.random = () => 0.999');
  await page.reload();
  await enterRoom(page, 'Waits');
  sockets.cut();
  await page.getByText('Reconnecting').waitFor();
  await expect.poll(() => sockets.refused(), { timeout: 30_000 }).toBeGreaterThanOrEqual(5);
  await send('ben', 'at last');
  sockets.restore();
  await page.evaluate('document.dispatchEvent(new Event("visibilitychange", { bubbles: true }))');
  await article(page, 'at last').waitFor({ timeout: 5000 });
});

test('a page that comes back from the back/forward cache is connected, and is not shown to the next person', async () => {
  const browser: Browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  });
  onTestFinished(() => browser.close());
  const { ana, ben, send } = await stage.roomOfTwo('Cached');
  const page = await visit(browser, { url: stage.url, person: ana, options: phone });
  await enterRoom(page, 'Cached');
  await send('ben', 'before leaving');
  await article(page, 'before leaving').waitFor();
  await page.evaluate(() => {
    addEventListener('pageshow', ({ persisted }) => {
      document.documentElement.dataset.persisted = String(persisted);
    });
  });
  await page.goto('about:blank');
  await send('ben', 'while it was away');
  await page.goBack({ waitUntil: 'commit' });
  await article(page, 'while it was away').waitFor();
  expect(await page.evaluate('document.documentElement.dataset.persisted')).toBe('true');

  await page.goto('about:blank');
  const other = await page.context().newPage();
  await other.goto(stage.url);
  await other.getByRole('button', { name: 'Log out' }).tap();
  await other.getByLabel('Username').fill(ben.username);
  await other.getByLabel('Password').fill(ben.password);
  await other.getByRole('button', { name: 'Log in' }).tap();
  await other.getByRole('button', { name: 'New room' }).waitFor();
  await page.bringToFront();
  await page.goBack({ waitUntil: 'commit' });
  await page.getByRole('button', { name: `Account settings: ${ben.username}` }).waitFor({ state: 'attached' });
});

test('a name in a right-to-left script leaves the order of the text beside it alone', async () => {
  const { ana, ben, send } = await stage.roomOfTwo('Names');
  await mustCall(ben, 'PATCH', '/v1/users/me', { displayName: 'عمر 7' });
  await send('ben', '1, 2, 3');
  const page = await visit(stage.browser, { url: stage.url, person: ana, options: phone });
  onTestFinished(() => page.context().close());
  /** The words of an element as they are drawn, from left to right. */
  const drawn = (selector: string, has: string) =>
    page
      .locator(selector)
      .filter({ hasText: has })
      .first()
      .evaluate((element) => {
        const words: { text: string; left: number; middle: number }[] = [];
        const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode())
          for (const { 0: word, index } of node.textContent!.matchAll(/[\p{L}\p{N}@]+/gu)) {
            const range = document.createRange();
            range.setStart(node, index);
            range.setEnd(node, index + word.length);
            const { left, top, bottom } = range.getBoundingClientRect();
            words.push({ text: word, left, middle: (top + bottom) / 2 });
          }
        // Line by line. The fonts of two scripts may stand a few pixels apart.
        const isBelow = (one: { middle: number }, other: { middle: number }) => one.middle > other.middle + 12;
        const order = (one: (typeof words)[0], other: (typeof words)[0]) =>
          isBelow(one, other) ? 1 : isBelow(other, one) ? -1 : one.left - other.left;
        return words.sort(order).map(({ text }) => text);
      });
  await expect.poll(() => drawn('.room-last', 'عمر')).toEqual(['7', 'عمر', '1', '2', '3']);
  await enterRoom(page, 'Names');
  await page.getByRole('button', { name: '2 people' }).tap();
  await expect.poll(() => drawn('.person', 'عمر')).toEqual(['7', 'عمر', '@', ben.username]);
  await page.getByRole('button', { name: 'Moderate عمر 7' }).tap();
  await expect.poll(() => drawn('dialog h2', 'Moderate')).toEqual(['Moderate', '7', 'عمر']);
  await page.getByRole('button', { name: 'Ban', exact: true }).tap();
  await expect.poll(() => drawn('dialog h2', 'Ban')).toEqual(['Ban', '7', 'عمر', 'for', 'an', 'hour']);
});

test('the page works under a path behind a proxy', async () => {
  const nginx = await startNginx(`
    location /team/chat/ {
      proxy_pass ${stage.url}/;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
    }`);
  onTestFinished(() => nginx.stop());
  const person = await signUp(stage.url);
  await createRoom([person], { name: 'Below a path' });
  const page = await visit(stage.browser, { url: `${nginx.url}/team/chat/`, person, options: phone });
  onTestFinished(() => page.context().close());
  await enterRoom(page, 'Below a path');
  await composer(page).fill('hello from below');
  await sendButton(page).tap();
  await article(page, 'hello from below').waitFor();
  await messages(page).getByText('Sending …').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: '1 person' }).tap();
  await page.getByRole('button', { name: 'Invite by link' }).tap();
  const link = await page.getByLabel('Invite link').first().inputValue();
  expect(link.startsWith(`${nginx.url}/team/chat/#/invite/`)).toBe(true);
  await page.reload();
  await article(page, 'hello from below').waitFor();
});
