import { mkdirSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientSecret, type OidcIssuer, Browser as ProviderBrowser, startOidcIssuer } from '../auth/oidc-issuer.ts';
import { confirm } from '../harness/page-visits.ts';
import { freePort } from '../harness/ports.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi } from '../harness/test-client.ts';

/** Screenshots are kept where `SCREENSHOTS` names a folder. */
const pictures = process.env.SCREENSHOTS;
if (pictures) mkdirSync(pictures, { recursive: true });

let browser: Browser;
let parley: Single;
let oidc: OidcIssuer;

beforeAll(async () => {
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  oidc = await startOidcIssuer([`${publicUrl}/v1/auth/oauth/acme/callback`]);
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
  const acme = { kind: 'oidc', issuer: oidc.issuer, clientId: 'parley', clientSecret, label: 'Acme' };
  parley = await startSingle({ PUBLIC_URL: publicUrl, PARLEY_AUTH_PROVIDERS: JSON.stringify({ acme }) }, port);
});
afterAll(async () => {
  await browser.close();
  await parley.end();
  await oidc.stop();
});

async function visit(): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(parley.url);
  return page;
}

async function picture(page: Page, name: string): Promise<void> {
  if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` });
}

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

/** Logs in and consents on the provider's own pages. */
async function passProvider(page: Page, name: string): Promise<void> {
  await page.locator('input[name=login]').fill(name);
  await page.locator('input[name=password]').fill('any');
  await picture(page, 'provider-login');
  await page.locator('button[type=submit]').click();
  await page.locator('button[type=submit]', { hasText: /continue/i }).click();
}

test('logging in through a provider', async () => {
  const page = await visit();
  await page.getByRole('link', { name: /Acme/ }).click();
  await passProvider(page, 'olga');
  await button(page, 'New room').waitFor();
  await page.getByText('Name of olga').first().waitFor();
  expect(new URL(page.url()).hash).toBe('');
  await picture(page, 'oidc-logged-in');
});

test('another person’s login code in the address neither logs in nor logs out', async () => {
  const back = await new ProviderBrowser().logIn(`${parley.url}/v1/auth/oauth/acme`, 'mallory');
  const stranger = await visit();
  await stranger.goto('about:blank');
  await stranger.goto(back.href);
  await stranger.getByText('This login was not begun in this tab').waitFor();
  const page = await visit();
  await page.getByRole('link', { name: /Acme/ }).click();
  await passProvider(page, 'victor');
  await button(page, 'New room').waitFor();
  const again = await new ProviderBrowser().logIn(`${parley.url}/v1/auth/oauth/acme`, 'mallory');
  await page.goto('about:blank');
  await page.goto(again.href);
  await button(page, 'New room').waitFor();
  await page.getByText('Name of victor').first().waitFor();
  // The code is still valid: the page refused it.
  const code = new URLSearchParams(again.hash.slice(1)).get('code');
  expect((await callApi(parley.url, 'POST', '/v1/auth/oauth/token', { code })).status).toBe(200);
});

test('linking a provider to an account, logging in by it, and unlinking it', async () => {
  const page = await visit();
  await button(page, 'Sign up').click();
  await page.getByLabel('Username').fill('petra');
  await page.getByLabel('Email').fill('petra@example.org');
  await page.getByLabel('Password').fill('the secret of petra');
  await button(page, 'Sign up').click();
  await page.getByRole('button', { name: /^Account settings/ }).click();
  await button(page, 'Linked accounts').click();
  await picture(page, 'no-linked-accounts');
  await button(page, 'Link Acme').click();
  await passProvider(page, 'petra-at-acme');
  await page.getByText('Name of petra-at-acme').waitFor();
  await picture(page, 'linked-account');

  const other = await visit();
  await other.getByRole('link', { name: /Acme/ }).click();
  await passProvider(other, 'petra-at-acme');
  await button(other, 'New room').waitFor();
  await other.getByText('petra', { exact: true }).first().waitFor();

  const sql = postgres(parley.database.url, { max: 1 });
  await sql`update sessions set authenticated_at = now() - interval '6 minutes'`;
  await sql.end();
  await button(page, 'Unlink Acme').click();
  await confirm(page, 'Unlink');
  await page.getByLabel('Confirm your password').fill('the secret of petra');
  await picture(page, 'unlink-step-up');
  await button(page, 'Confirm').click();
  await page.getByText('No account elsewhere is linked to this one.').waitFor();
});

test('two tabs begin a login through a provider, and both finish it', async () => {
  const context = await browser.newContext();
  const tabs = [await context.newPage(), await context.newPage()];
  for (const tab of tabs) {
    await tab.goto(parley.url);
    await tab.getByRole('link', { name: /Acme/ }).click();
    await tab.locator('input[name=login]').waitFor();
  }
  for (const [index, tab] of tabs.entries()) {
    await passProvider(tab, `tabs-${index}`);
    await button(tab, 'New room').waitFor();
    // The tabs of a browser share its login: the next test begins without one.
    await tab.evaluate(() => localStorage.clear());
  }
  await context.close();
});

test('a login that failed at the provider or here is explained in words', async () => {
  const page = await visit();
  for (const [error, words] of [
    ['access_denied', 'You did not allow the login at the provider.'],
    ['expired', /begun in another browser, took too long or was used already/],
    ['something_else', /was not finished/],
  ] as const) {
    await page.goto('about:blank');
    await page.goto(`${parley.url}/#error=${error}`);
    await page.getByText(words).waitFor();
    expect(new URL(page.url()).hash).toBe('');
  }
});
