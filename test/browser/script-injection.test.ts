/** Known attacks, rendered and put into a page in a real browser: nothing runs, nothing is fetched, nothing leaves the page. */
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attackTexts } from '../../scripts/evaluate/script-injection-suite.ts';
import { render } from '../../src/transform/render.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
});
afterAll(() => browser.close());

const origin = 'http://chat.test/';

/** A page without a content security policy; every script and request of it is watched. */
async function openPage(): Promise<{ page: Page; events: string[] }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const events: string[] = [];
  await context.route('**/*', (route) => {
    const url = route.request().url();
    if (url === origin) return route.fulfill({ contentType: 'text/html', body: '<!doctype html><main></main>' });
    events.push(`request ${url}`);
    return route.abort();
  });
  page.on('dialog', (dialog) => {
    events.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('pageerror', (error) => events.push(`error ${error.message}`));
  page.on('framenavigated', (frame) => events.push(`navigated ${frame.url()}`));
  await page.goto(origin);
  events.length = 0;
  return { page, events };
}

/** Touches every element as a reader may. Links are clicked, not followed. */
function touchAll(htmls: readonly string[]): string[] {
  const fired: string[] = [];
  for (const name of ['alert', 'confirm', 'prompt', 'open', 'fetch', 'print'] as const)
    Object.defineProperty(window, name, { value: () => fired.push(name), configurable: true });
  addEventListener('click', (event) => event.preventDefault());
  const main = document.querySelector('main')!;
  const kinds = ['mouseover', 'mouseenter', 'mousedown', 'click', 'focus', 'blur', 'load', 'error', 'toggle', 'wheel'];
  for (const html of htmls) {
    main.innerHTML = html;
    for (const element of main.querySelectorAll('*')) {
      for (const kind of [...kinds, 'animationstart', 'begin', 'pointerenter', 'copy'])
        element.dispatchEvent(new Event(kind, { bubbles: true, cancelable: true }));
      if (element instanceof HTMLAnchorElement && !/^(?:https?|mailto):$/.test(element.protocol))
        fired.push(element.href);
      for (const { name } of element.attributes) if (name.startsWith('on')) fired.push(name);
    }
  }
  return fired;
}

test('HTML of messages that is inserted into a page runs no script, whatever is touched', async () => {
  const { page, events } = await openPage();
  const htmls = attackTexts().map((text) => render(text).html);
  for (let at = 0; at < htmls.length; at += 500)
    expect(await page.evaluate(touchAll, htmls.slice(at, at + 500))).toEqual([]);
  expect(events).toEqual([]);
  // The watch itself works: the same page fires for a live payload.
  expect(await page.evaluate(touchAll, ['<img src="http://away.test/x" onerror="alert(1)">'])).not.toEqual([]);
  await expect.poll(() => events).toContain('request http://away.test/x');
});

test('HTML of messages that is part of a document from the start runs no script', async () => {
  const { page, events } = await openPage();
  const htmls = attackTexts().map((text) => `<section>${render(text).html}</section>`);
  for (let at = 0; at < htmls.length; at += 500) {
    const body = htmls.slice(at, at + 500).join('\n');
    await page.setContent(`<!doctype html><title>t</title>${body}<p id="end">end</p>`);
    await expect.poll(() => page.locator('body > #end').count()).toBe(1); // nothing swallowed the element behind it
    expect(
      await page.locator('script, iframe, object, embed, svg, math, style, link, form, img, base, meta').count(),
    ).toBe(0);
  }
  expect(events.filter((each) => each !== 'navigated about:blank' && each !== `navigated ${origin}`)).toEqual([]);
});
