/**
 * The first hour of a newcomer at the page: they sign up, make a room, invite somebody by a link, chat, edit, delete,
 * are reported and moderated, write a direct message, read what they missed, look at their settings and log out.
 * A screenshot of each step can be kept; a script error, a horizontal scroll bar or a missing step fails the walk.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { article, confirm, longPress, messages, phone, say } from './page-visits.ts';

export const devices = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone,
} as const satisfies Record<string, BrowserContextOptions>;

export interface Walk {
  readonly browser: Browser;
  /** Where the page is, e.g. `http://127.0.0.1:8080`. */
  readonly origin: string;
  readonly device: keyof typeof devices;
  readonly colorScheme: 'light' | 'dark';
  /** Makes the names of this walk's people and rooms its own. */
  readonly mark: string;
  /** The one-time link of a new server; without it the first person signs up as anybody does. */
  readonly setupLink?: string | undefined;
  /** Where screenshots go; without it there are none. */
  readonly pictures?: string | undefined;
}

/** Browsers reach every one of these names on loopback when they are started with `resolverRules`. */
export const hosts = ['localhost', '127.0.0.1', '127.0.0.2', 'chat.parley.test'] as const;
export const resolverRules = `--host-resolver-rules=${hosts
  .slice(2)
  .map((host) => `MAP ${host} 127.0.0.1`)
  .join(', ')}`;

interface Visitor {
  readonly name: string;
  readonly page: Page;
}

const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';

/** @throws Error that names what was missing or went wrong */
export async function walkFirstHour(walk: Walk): Promise<void> {
  const [ana, ben] = [await arrive(walk, 'ana'), await arrive(walk, 'ben')];
  const room = `Garden ${walk.mark}`;
  await signUpFirst(walk, ana);
  await makeRoom(walk, ana, room);
  await inviteByLink(walk, ana, ben, room);
  await chat(walk, ana, ben);
  await changeAndDelete(walk, ana);
  await refuse(walk, ben);
  await reportAndModerate(walk, ana, ben);
  await catchUp(walk, ana, ben, room);
  await writeDirectly(walk, ana, ben);
  await settleIn(walk, ben);
  for (const { page } of [ana, ben]) await page.context().close();
}

async function arrive({ browser, origin, device, colorScheme, mark }: Walk, name: string): Promise<Visitor> {
  const context = await browser.newContext({ ...devices[device], colorScheme });
  const page = await context.newPage();
  const fail = (what: string) => {
    throw new Error(`at ${origin}, ${device}, ${colorScheme}, ${name}: ${what}`);
  };
  page.on('pageerror', (error) => fail(error.message));
  page.on('dialog', (dialog) => fail(`a dialog: ${dialog.message()}`));
  return { name: `${name}-${mark}`, page };
}

/** @throws Error when the page is wider than the screen */
async function picture({ pictures, device, colorScheme, origin }: Walk, page: Page, step: string): Promise<void> {
  const width = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
  if (Number(width) > 0) throw new Error(`${step}: the page is ${String(width)} px wider than the screen`);
  if (!pictures) return;
  const folder = join(pictures, `${new URL(origin).hostname}-${device}-${colorScheme}`);
  mkdirSync(folder, { recursive: true });
  // Fonts and transitions are done with; the caret blinks.
  await page.screenshot({ path: join(folder, `${step}.png`), animations: 'disabled', caret: 'hide' });
}

async function press(walk: Walk, target: Locator): Promise<void> {
  await (walk.device === 'phone' ? target.tap() : target.click());
}

async function fillIn(page: Page, name: string): Promise<void> {
  await page.getByLabel('Username').fill(name);
  await page.getByLabel('Email').fill(`${name}@example.org`);
  await page.getByLabel('Password').fill(`a good secret of ${name}`);
}

async function signUpFirst(walk: Walk, { name, page }: Visitor): Promise<void> {
  await page.goto(walk.setupLink ?? walk.origin);
  if (!walk.setupLink) {
    await page.getByRole('button', { name: 'Log in' }).waitFor();
    await picture(walk, page, '01-log-in');
    await press(walk, page.getByRole('button', { name: 'Sign up' }));
  }
  await fillIn(page, name);
  await picture(walk, page, walk.setupLink ? '02-setup' : '02-sign-up');
  await press(walk, page.getByRole('button', { name: 'Sign up' }));
  await page.getByText('No rooms yet').waitFor();
  await picture(walk, page, '03-no-rooms');
}

async function makeRoom(walk: Walk, { page }: Visitor, room: string): Promise<void> {
  await press(walk, page.getByRole('button', { name: 'New room' }));
  await page.getByLabel('Room name').fill(room);
  await page.getByLabel(/Private/).check();
  await picture(walk, page, '04-new-room');
  await press(walk, page.getByRole('button', { name: 'Create room' }));
  await messages(page).getByText(`This is the beginning of ${room}`).waitFor();
  await picture(walk, page, '05-empty-room');
}

async function inviteByLink(walk: Walk, ana: Visitor, ben: Visitor, room: string): Promise<void> {
  await press(walk, ana.page.getByRole('button', { name: '1 person' }));
  await press(walk, ana.page.getByRole('button', { name: 'Invite by link' }));
  const link = await ana.page.getByLabel('Invite link').first().inputValue();
  if (!link.startsWith(walk.origin)) throw new Error(`the invite link leads elsewhere: ${link}`);
  await picture(walk, ana.page, '06-invite');
  await ana.page.keyboard.press('Escape');
  await ben.page.goto(link);
  await press(walk, ben.page.getByRole('button', { name: 'Sign up' }));
  await fillIn(ben.page, ben.name);
  await press(walk, ben.page.getByRole('button', { name: 'Sign up' }));
  await ben.page.getByRole('heading', { name: room }).waitFor();
  await ana.page.getByRole('button', { name: '2 people' }).waitFor();
}

async function chat(walk: Walk, ana: Visitor, ben: Visitor): Promise<void> {
  await say(ana.page, `Welcome @${ben.name}! The **plan**: https://example.org/roses`);
  await article(ben.page, 'The plan').getByRole('link', { name: 'https://example.org/roses' }).waitFor();
  await say(ben.page, 'Thank you. I bring\n\n- a spade\n- two *very* old pots\n\n> and whatever else is needed');
  await article(ana.page, 'two very old pots').waitFor();
  await say(ben.page, '```\nconst bed = { roses: 12 };\n```');
  await article(ana.page, 'const bed').waitFor();
  await say(ana.page, 'One of mine that I am going to change');
  await say(ana.page, 'One of mine that I am going to delete');
  await article(ben.page, 'going to delete').waitFor();
  await picture(walk, ana.page, '07-chat');
  await picture(walk, ben.page, '08-chat-of-the-other');
}

/** Opens what can be done with a message, by mouse or by finger, and presses one of it. */
async function act(walk: Walk, page: Page, text: string, name: string, step?: string): Promise<void> {
  const message = article(page, text);
  if (walk.device === 'phone') {
    const sheet = page.getByRole('dialog', { name: /^Message by/ });
    await longPress(page, message.locator('.text'), sheet);
    if (step) await picture(walk, page, step);
    await sheet.getByRole('button', { name, exact: true }).tap();
    return;
  }
  await message.hover();
  if (step) await picture(walk, page, step);
  await message.getByRole('button', { name, exact: true }).click();
}

async function changeAndDelete(walk: Walk, { page }: Visitor): Promise<void> {
  await act(walk, page, 'going to change', 'Edit', '09-message-actions');
  await page.getByLabel('Edit message').fill('One of mine that I have changed');
  await picture(walk, page, '10-edit');
  await press(walk, page.getByRole('button', { name: 'Save' }));
  await article(page, 'I have changed').getByText('(edited)').waitFor();
  await act(walk, page, 'going to delete', 'Delete');
  await page.getByRole('dialog', { name: 'Delete message?' }).waitFor();
  await picture(walk, page, '11-delete');
  await confirm(page, 'Delete');
  await messages(page).getByText('This message was deleted.').waitFor();
}

async function refuse(walk: Walk, { page }: Visitor): Promise<void> {
  await say(page, `An advert: ${gtube}`);
  await messages(page).getByText('Not sent. Blocked by moderation').waitFor();
  await page.getByLabel('Message', { exact: true }).fill('far too long '.repeat(650));
  await page.getByText('too many. Please shorten the text.').waitFor();
  await picture(walk, page, '12-refused-and-too-long');
  await page.getByLabel('Message', { exact: true }).fill('');
  await press(walk, messages(page).getByRole('button', { name: 'Discard' }));
  await confirm(page, 'Discard');
}

async function reportAndModerate(walk: Walk, ana: Visitor, ben: Visitor): Promise<void> {
  await say(ana.page, 'Nobody needs your old pots');
  await article(ben.page, 'Nobody needs').waitFor();
  await act(walk, ben.page, 'Nobody needs', 'Report');
  await ben.page.getByLabel('Harassment or hate').check();
  await ben.page.getByLabel('Anything to add? (optional)').fill('That was not kind.');
  await picture(walk, ben.page, '13-report');
  await press(walk, ben.page.getByRole('button', { name: 'Send report' }));
  await ben.page.getByRole('status').filter({ hasText: 'Thank you.' }).waitFor();
  await press(walk, ben.page.getByRole('button', { name: 'Done' }));
  await press(walk, ana.page.getByRole('main').getByRole('button', { name: 'Moderation' }));
  await ana.page.getByText('That was not kind.').waitFor();
  await picture(walk, ana.page, '14-moderation');
  await press(walk, ana.page.getByRole('button', { name: 'Remove', exact: true }));
  await ana.page.getByText('Nothing waits for a decision.').waitFor();
  for (const pane of ['Rules', 'Bans', 'Log']) {
    await press(walk, ana.page.getByRole('button', { name: pane, exact: true }));
    await ana.page.getByRole('region', { name: pane }).waitFor();
    if (pane === 'Rules') await ana.page.getByText('No rules yet.').waitFor();
    if (pane === 'Log') await ana.page.getByText('removed a message').waitFor();
    await picture(walk, ana.page, `15-moderation-${pane.toLowerCase()}`);
  }
  await ana.page.keyboard.press('Escape');
}

async function catchUp(walk: Walk, ana: Visitor, ben: Visitor, room: string): Promise<void> {
  // Out of the room, by its own control where there is one.
  if (walk.device === 'phone') await ben.page.getByRole('link', { name: 'Back to rooms' }).tap();
  else await ben.page.goto(`${walk.origin}/#/`);
  for (let line = 1; line <= 25; line++) await say(ana.page, `Line ${line} that ben has missed`);
  await article(ana.page, 'Line 25 that').getByText('Sending …').waitFor({ state: 'detached' });
  const link = ben.page.getByRole('link', { name: new RegExp(`${room}.*25 unread`) });
  await ben.page
    .getByText(/^2[56] unread$/)
    .waitFor()
    .catch(() => undefined);
  await link.waitFor();
  await picture(walk, ben.page, '16-unread');
  await press(walk, link);
  await ben.page.getByRole('separator', { name: 'New messages' }).waitFor();
  await picture(walk, ben.page, '17-first-unread');
  await press(walk, ben.page.getByRole('button', { name: /jump to latest/i }));
  await article(ben.page, 'Line 25 that').waitFor();
  await picture(walk, ben.page, '18-latest');
}

async function writeDirectly(walk: Walk, ana: Visitor, ben: Visitor): Promise<void> {
  await press(walk, ana.page.getByRole('button', { name: '2 people' }));
  await ana.page.getByRole('dialog').getByText(`@${ben.name}`).waitFor();
  await picture(walk, ana.page, '19-people');
  await press(walk, ana.page.getByRole('button', { name: `Message ${ben.name}` }));
  await messages(ana.page).getByText(`This is the beginning of your conversation with ${ben.name}`).waitFor();
  await say(ana.page, 'Sorry about the pots.');
  if (walk.device === 'phone') await ben.page.getByRole('link', { name: 'Back to rooms' }).tap();
  await press(walk, ben.page.getByRole('link', { name: new RegExp(`${ana.name}.*1 unread`) }));
  await say(ben.page, 'They will look good between the roses.');
  await article(ana.page, 'between the roses').waitFor();
  await picture(walk, ana.page, '20-direct-message');
}

async function settleIn(walk: Walk, { page }: Visitor): Promise<void> {
  if (walk.device === 'phone') await page.getByRole('link', { name: 'Back to rooms' }).tap();
  await picture(walk, page, '21-rooms');
  await press(walk, page.getByRole('button', { name: /^Account settings/ }));
  for (const section of ['Profile', 'Password & email', 'Two-factor authentication', 'Devices']) {
    await press(walk, page.getByRole('button', { name: section, exact: true }));
    await page.getByRole('region', { name: section }).first().waitFor();
    if (section === 'Devices') await page.getByText('This device').waitFor();
    if (section === 'Two-factor authentication')
      await page.getByRole('button', { name: 'Add authenticator app' }).waitFor();
    await picture(walk, page, `22-settings-${section.split(' ')[0]!.toLowerCase()}`);
  }
  await press(walk, page.getByRole('button', { name: 'Close' }));
  await press(walk, page.getByRole('button', { name: 'Log out' }));
  await page.getByRole('button', { name: 'Log in' }).waitFor();
}
