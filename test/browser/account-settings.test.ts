import { mkdirSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { codeAt, stepAt } from '../../src/auth/mfa/totp.ts';
import { mailTo } from '../harness/mailbox.ts';
import { confirm } from '../harness/page-visits.ts';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { freePort } from '../harness/ports.ts';
import { callApi } from '../harness/test-client.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

/** Screenshots are kept where `SCREENSHOTS` names a folder. */
const pictures = process.env.SCREENSHOTS;
if (pictures) mkdirSync(pictures, { recursive: true });

let browser: Browser;
let database: TestDatabase;
let parley: ParleyProcess;

beforeAll(async () => {
  const port = await freePort();
  [browser, database] = await Promise.all([
    chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] }),
    createDatabase(),
  ]);
  // Passkeys belong to a domain name, not to an IP address.
  const publicUrl = `http://localhost:${port}`;
  const settings = {
    DATABASE_URL: database.url,
    PUBLIC_URL: publicUrl,
    PARLEY_ADMINS: 'wanda@example.org,xenia@example.org',
  };
  parley = { ...(await startParley({ role: 'all', httpPort: port, settings })), url: publicUrl };
});
afterAll(async () => {
  await browser.close();
  await parley.stop();
  await database.drop();
});

interface Visitor {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly complaints: string[];
}

async function visit(look: Parameters<Browser['newContext']>[0] = {}): Promise<Visitor> {
  const context = await browser.newContext(look);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(parley.url);
  return { page, context, complaints };
}

async function picture(page: Page, name: string): Promise<void> {
  if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` });
}

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

async function signUp(page: Page, name: string): Promise<void> {
  await button(page, 'Sign up').click();
  await page.getByLabel('Username').fill(name);
  await page.getByLabel('Email').fill(`${name}@example.org`);
  await page.getByLabel('Password').fill(`secret of ${name}`);
  await button(page, 'Sign up').click();
  await button(page, 'New room').waitFor();
}

async function logIn(page: Page, name: string): Promise<void> {
  await page.getByLabel('Username').fill(name);
  await page.getByLabel('Password').fill(`secret of ${name}`);
  await button(page, 'Log in').click();
}

async function openSettings(page: Page, section: string): Promise<void> {
  await page.getByRole('button', { name: /^Account settings/ }).click();
  await page.getByRole('navigation', { name: 'Account settings' }).getByRole('button', { name: section }).click();
}

const closeSettings = (page: Page) => button(page, 'Close').click();
const logOut = (page: Page) => button(page, 'Log out').first().click();

/** A device with a screen lock: it makes passkeys and verifies its owner. */
async function addAuthenticator(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
function codeOf(secret: string, steps = 0): string {
  const bits = [...secret].map((each) => alphabet.indexOf(each).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  return codeAt(key, stepAt(Date.now() / 1000) + steps);
}

test('an authenticator app is set up with a QR code and required by the next login, and a recovery code replaces it', async () => {
  const { page, complaints } = await visit();
  await signUp(page, 'ana');
  await openSettings(page, 'Two-factor authentication');
  await button(page, 'Add authenticator app').click();
  await page.getByRole('img', { name: /QR code/ }).waitFor();
  await picture(page, 'totp-set-up');
  const secret = (await page.locator('.key code').textContent())!.replace(/\s/g, '');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Code', { exact: true }).fill('000000');
  await button(page, 'Turn on').click();
  await dialog.getByRole('alert').waitFor();
  await dialog.getByLabel('Code', { exact: true }).fill(codeOf(secret, -1));
  await button(page, 'Turn on').click();
  await page.getByText('Your recovery codes').waitFor();
  await picture(page, 'recovery-codes');
  const codes = await page.locator('.codes code').allTextContents();
  expect(codes).toHaveLength(10);
  await button(page, 'I have kept them').click();
  await page.getByText('10 recovery codes are left').waitFor();
  await picture(page, 'second-step-on');
  await closeSettings(page);

  await logOut(page);
  await logIn(page, 'ana');
  await page.getByText('One more step').waitFor();
  await picture(page, 'second-step-at-the-door');
  const code = page.getByLabel('Code of your authenticator app');
  await code.fill('123456');
  await button(page, 'Continue').click();
  await page
    .getByRole('alert')
    .getByText(/wrong code/i)
    .waitFor();
  await code.fill(codeOf(secret));
  await button(page, 'Continue').click();
  await button(page, 'New room').waitFor();

  await logOut(page);
  await logIn(page, 'ana');
  await button(page, 'Use a recovery code').click();
  await page.getByLabel('Recovery code').fill(codes[0]!.toLowerCase());
  await button(page, 'Continue').click();
  await button(page, 'New room').waitFor();
  await openSettings(page, 'Two-factor authentication');
  await page.getByText('9 recovery codes are left').waitFor();
  await button(page, 'Remove Authenticator app').click();
  await confirm(page, 'Remove');
  await page.getByText('With two-factor authentication').waitFor();
  await closeSettings(page);
  await logOut(page);
  await logIn(page, 'ana');
  await button(page, 'New room').waitFor();
  expect(complaints).toEqual([]);
});

test('a passkey is made, used alone and as a second factor, and removed', async () => {
  const { page, complaints } = await visit();
  await addAuthenticator(page);
  await signUp(page, 'ben');
  await openSettings(page, 'Two-factor authentication');
  await button(page, 'Add passkey').click();
  await page.getByText('Your recovery codes').waitFor();
  await button(page, 'I have kept them').click();
  await page.getByText(/^Passkey on /).waitFor();
  await picture(page, 'passkey-in-settings');
  // The same device cannot make a second one.
  await button(page, 'Add passkey').click();
  await page
    .getByRole('alert')
    .getByText(/already has a passkey for this account/)
    .waitFor();
  await closeSettings(page);

  await logOut(page);
  await picture(page, 'door-with-passkey');
  await button(page, 'Use a passkey').click();
  await button(page, 'New room').waitFor();
  await expect.poll(() => page.getByRole('button', { name: /^Account settings/ }).textContent()).toContain('ben');

  await logOut(page);
  await logIn(page, 'ben');
  await page.getByText('One more step').waitFor();
  await picture(page, 'passkey-as-second-step');
  await button(page, 'Use a passkey').click();
  await button(page, 'New room').waitFor();

  await openSettings(page, 'Two-factor authentication');
  await page.getByRole('button', { name: /^Remove Passkey/ }).click();
  await confirm(page, 'Remove');
  await page.getByText('With two-factor authentication').waitFor();
  await closeSettings(page);
  await logOut(page);
  await button(page, 'Use a passkey').click();
  await page
    .getByRole('alert')
    .getByText(/not valid here/)
    .waitFor();
  expect(complaints).toEqual([]);
});

test('a passkey of another authenticator, or none at all, logs nobody in', async () => {
  const { page } = await visit();
  await addAuthenticator(page);
  await button(page, 'Use a passkey').click();
  await page.getByRole('alert').waitFor();
  await expect.poll(() => button(page, 'New room').count()).toBe(0);
});

test('devices are listed and logged out one by one, and the other page says so', async () => {
  const [here, there] = await Promise.all([visit(), visit()]);
  await signUp(here.page, 'carla');
  await logIn(there.page, 'carla');
  await button(there.page, 'New room').waitFor();
  await openSettings(here.page, 'Devices');
  await here.page.getByText('This device').waitFor();
  await picture(here.page, 'devices');
  await here.page.getByRole('button', { name: /^Log out Chrome/ }).click();
  await confirm(here.page, 'Log out');
  await there.page.getByText('Your login has ended').waitFor();
  await expect.poll(() => here.page.locator('.entries li').count()).toBe(1);
  await closeSettings(here.page);
  await button(here.page, 'New room').waitFor();
});

test('profile, password and address are changed in the settings', async () => {
  const { page, complaints } = await visit();
  await signUp(page, 'dora');
  await openSettings(page, 'Profile');
  await page.getByLabel('Display name').fill('Dora the Gardener');
  await picture(page, 'profile');
  await button(page, 'Save profile').click();
  await page.getByText('Saved.').waitFor();
  await openPart(page, 'Password & email');
  await page.getByText(/not confirmed yet/).waitFor();
  await page.getByLabel('Current password').fill('not the one');
  await page.getByLabel('New password').fill('another secret of dora');
  await button(page, 'Change password').click();
  await page
    .getByRole('alert')
    .getByText(/is not your password/)
    .waitFor();
  await page.getByLabel('Current password').fill('secret of dora');
  await page.getByLabel('New password').fill('another secret of dora');
  await button(page, 'Change password').click();
  await page.getByText('Your password is changed.').waitFor();
  await page.getByLabel('New email').fill('dora@garden.example.org');
  await page.getByLabel('Your password').fill('another secret of dora');
  await picture(page, 'password-and-email');
  await button(page, 'Send link').click();
  await page.getByText('A link is on its way to the new address.').waitFor();
  const mail = await mailTo(parley.url, 'dora@garden.example.org', /new e-mail address/);
  await page.goto(/http:\S+/.exec(mail.text)![0]);
  await page.getByText('Your address is confirmed.').waitFor();
  await page.getByRole('link', { name: 'Go on to Parley' }).click();
  await openSettings(page, 'Password & email');
  await page.getByText(/dora@garden\.example\.org · confirmed/).waitFor();
  await expect
    .poll(() => page.getByRole('button', { name: /^Account settings/ }).textContent())
    .toContain('Dora the Gardener');
  expect(complaints).toEqual([]);
});

test('a mailed link is confirmed within the page’s login, and without one confirms the address alone', async () => {
  const follow = async (page: Page, name: string) => {
    const { text } = await mailTo(parley.url, `${name}@example.org`, /Confirm your e-mail/);
    await page.goto('about:blank');
    await page.goto(/http\S+/.exec(text)![0]);
    await page.getByText('Your address is confirmed').waitFor();
  };
  const me = async (name: string) => {
    const login = { login: name, password: `secret of ${name}` };
    return (await callApi(parley.url, 'POST', '/v1/auth/login', login)).body.user;
  };
  const [wanda, xenia, elsewhere] = await Promise.all([visit(), visit(), visit()]);
  await signUp(wanda.page, 'wanda');
  await follow(wanda.page, 'wanda');
  expect(await me('wanda')).toMatchObject({ emailVerified: true, role: 'admin' });
  await signUp(xenia.page, 'xenia');
  await follow(elsewhere.page, 'xenia');
  expect(await me('xenia')).toMatchObject({ emailVerified: true, role: 'user' });
  // A login that has ended does not count, and does not use up the link.
  const { page } = await visit();
  await signUp(page, 'yvonne');
  const token = await page.evaluate(
    () => (JSON.parse(localStorage.getItem('parley.session')!) as { accessToken: string }).accessToken,
  );
  await callApi(parley.url, 'DELETE', '/v1/users/me/sessions', undefined, { authorization: `Bearer ${token}` });
  await follow(page, 'yvonne');
  expect(await me('yvonne')).toMatchObject({ emailVerified: true });
});

test('a guest turns into a user and keeps the account', async () => {
  const { page, complaints } = await visit();
  await button(page, 'Continue as guest').click();
  await page.getByLabel('Display name').fill('Passer-by');
  await button(page, 'Continue as guest').click();
  await button(page, 'New room').click();
  await page.getByLabel('Room name').fill('Bench');
  await button(page, 'Create room').click();
  await page.getByRole('heading', { name: 'Bench' }).waitFor();
  await page.getByRole('button', { name: /^Account settings/ }).click();
  await page.getByRole('heading', { name: 'Keep this account' }).waitFor();
  await picture(page, 'guest-upgrade');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Username').fill('erik');
  await dialog.getByLabel('Email').fill('erik@example.org');
  await dialog.getByLabel('Password').fill('secret of erik');
  await button(page, 'Keep account').click();
  await openPart(page, 'Two-factor authentication');
  await closeSettings(page);
  await logOut(page);
  await logIn(page, 'erik');
  await page.getByRole('link', { name: /Bench/ }).waitFor();
  expect(complaints).toEqual([]);
});

test.each([
  ['desktop-dark', { colorScheme: 'dark', viewport: { width: 1280, height: 800 } }],
  ['phone-light', { colorScheme: 'light', viewport: { width: 390, height: 844 } }],
  ['phone-dark', { colorScheme: 'dark', viewport: { width: 390, height: 844 } }],
] as const)('the settings fit: %s', async (look, options) => {
  const { page } = await visit(options);
  await picture(page, `door-${look}`);
  await signUp(page, `fay-${look}`);
  for (const section of ['Profile', 'Password & email', 'Two-factor authentication', 'Devices']) {
    await openSettings(page, section);
    await picture(page, `settings-${section.toLowerCase().replace(/\W+/g, '-')}-${look}`);
    const body = page.locator('.settings-body');
    await expect.poll(() => body.evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0);
    await closeSettings(page);
  }
  await openSettings(page, 'Two-factor authentication');
  await button(page, 'Add authenticator app').click();
  await page.getByRole('img', { name: /QR code/ }).waitFor();
  await picture(page, `settings-totp-${look}`);
});

const openPart = (page: Page, section: string) =>
  page.getByRole('navigation', { name: 'Account settings' }).getByRole('button', { name: section }).click();
