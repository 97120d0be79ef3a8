import { type Browser, chromium, type Page } from 'playwright-core';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { confirm } from '../harness/page-visits.ts';
import { freePort } from '../harness/ports.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let browser: Browser;
let parley: Single;

beforeAll(async () => {
  const port = await freePort();
  [browser, parley] = await Promise.all([
    chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] }),
    startSingle({ PUBLIC_URL: `http://127.0.0.1:${port}` }, port),
  ]);
});
afterAll(async () => {
  await browser.close();
  await parley.end();
});

async function visit(
  person: TestUser,
  room: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  await page.goto(parley.url);
  await page.getByLabel('Username').fill(person.username);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('link', { name: new RegExp(room) }).click();
  await page.getByRole('heading', { name: room }).waitFor();
  return page;
}

const messages = (page: Page) => page.getByRole('log', { name: 'Messages' });
/** Screenshots are kept here, when it is set. */
const pictures = process.env.PARLEY_TEST_PICTURES;
const picture = async (page: Page, name: string) => {
  if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` });
};

test('moderation shows refused texts, sets slow mode, and lets staff see and take back lessons', async () => {
  const [owner, author, reader] = (await Promise.all([1, 2, 3].map(() => signUp(parley.url)))) as [
    TestUser,
    TestUser,
    TestUser,
  ];
  const roomId = await createRoom([owner, author, reader], { name: 'Orchard' });
  const path = `/v1/rooms/${roomId}/messages`;
  const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
  expect((await author.call('POST', path, { clientId: 'g', text: gtube })).status).toBe(422);
  const moderator = await visit(owner, 'Orchard');
  await moderator.getByRole('button', { name: 'Moderation' }).click();
  const panes = moderator.getByRole('navigation', { name: 'Moderation' });
  await panes.getByRole('button', { name: 'Blocked' }).click();
  await moderator
    .getByRole('region', { name: 'Blocked' })
    .getByText(/test 100 % \(gtube\)/)
    .waitFor();
  expect(await moderator.content()).not.toContain('GTUBE-STANDARD');
  await panes.getByRole('button', { name: 'Slow mode' }).click();
  await moderator.getByRole('combobox', { name: 'Slow mode' }).selectOption('60');
  await moderator.getByText('one message a minute, for everybody but moderators.').waitFor();
  expect(await mustCall(author, 'GET', `/v1/rooms/${roomId}`)).toMatchObject({ slowModeSeconds: 60 });
  // Lessons belong to the deployment.
  await expect.poll(() => panes.getByRole('button', { name: 'Learned' }).count()).toBe(0);
  await picture(moderator, 'slow-mode');

  const sql = postgres(parley.database.url, { max: 1 });
  await sql`update users set role = 'admin' where id = ${owner.id}`;
  await sql.end();
  const { id } = await mustCall(author, 'POST', path, { clientId: 's', text: 'apples by the bucket' });
  const report = await mustCall(reader, 'POST', `${path}/${id as string}/report`, { reason: 'spam' });
  await mustCall(owner, 'POST', `/v1/moderation/queue/${report.id as string}`, { decision: 'remove' });
  const staff = await visit(owner, 'Orchard');
  await staff.getByRole('complementary').getByRole('button', { name: 'Moderation' }).click();
  await staff.getByRole('navigation', { name: 'Moderation' }).getByRole('button', { name: 'Learned' }).click();
  const learned = staff.getByRole('region', { name: 'Learned' });
  await learned.getByText('A message is spam').waitFor();
  await picture(staff, 'learned');
  await learned.getByRole('button', { name: `Take back all of ${owner.username}` }).click();
  await confirm(staff, 'Take back all');
  await learned.getByText('No lessons yet.').waitFor();
});

test('a member reports by keyboard; the owner sees the report in context, removes and restores the message, tries and adds a rule, and bans', async () => {
  const [owner, author, reader] = (await Promise.all([1, 2, 3].map(() => signUp(parley.url)))) as [
    TestUser,
    TestUser,
    TestUser,
  ];
  const roomId = await createRoom([owner, author, reader], { name: 'Allotment' });
  const say = (person: TestUser, text: string) =>
    mustCall(person, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: text.slice(0, 60), text });
  await say(reader, 'The beans are up, and the first courgettes as well.');
  await say(author, 'Seedlings again, I have far too many of them');
  await say(owner, 'No adverts here, please.');

  const watching = await visit(reader, 'Allotment');
  await messages(watching).getByText('Seedlings again').hover();
  const report = watching.getByRole('button', { name: 'Report' }).nth(0);
  await report.focus();
  await watching.keyboard.press('Enter');
  await watching.getByLabel('Anything to add? (optional)').fill('third time today');
  await picture(watching, 'report');
  await watching.getByRole('button', { name: 'Send report' }).press('Enter');
  await watching.getByText('Thank you.').waitFor();
  await watching.getByRole('button', { name: 'Done' }).press('Enter');
  // Members who may not moderate have no such button.
  await expect.poll(() => watching.getByRole('button', { name: 'Moderation' }).count()).toBe(0);

  const moderator = await visit(owner, 'Allotment');
  await moderator.getByRole('button', { name: 'Moderation' }).click();
  const entry = moderator.getByRole('article', { name: `Message by ${author.username}` });
  await entry.getByText('third time today').waitFor();
  await expect
    .poll(() => entry.getByRole('listitem').allTextContents())
    .toEqual([
      expect.stringContaining('The beans are up'),
      expect.stringContaining('Seedlings again'),
      expect.stringContaining('No adverts here'),
      expect.stringContaining('third time today'),
    ]);
  await picture(moderator, 'queue');
  await entry.getByLabel('Note for the log').fill('adverts');
  await entry.getByRole('button', { name: 'Remove' }).click();
  await moderator.getByText('Nothing waits for a decision.').waitFor();
  await messages(watching).getByText('This message was deleted.').waitFor();
  await expect.poll(() => messages(watching).getByText('Seedlings again').count()).toBe(0);

  await moderator.getByRole('button', { name: 'Removed', exact: true }).click();
  await entry.getByText('Seedlings again').waitFor();
  await entry.getByRole('button', { name: 'Restore' }).click();
  await messages(watching).getByText('Seedlings again').waitFor();

  await moderator.getByRole('button', { name: 'Rules' }).click();
  await moderator.getByLabel('Pattern').fill('seedlings');
  await moderator.getByRole('button', { name: 'Try it on the last 7 days' }).click();
  await moderator.getByText('It would have blocked 1 of 3 messages, by 1 person.').waitFor();
  await picture(moderator, 'rules');
  await moderator.getByRole('button', { name: 'Add rule' }).click();
  await moderator.getByRole('button', { name: 'Delete rule seedlings' }).waitFor();
  await moderator.getByLabel('Kind').selectOption('regex');
  await moderator.getByLabel('Pattern').fill('(a)\\1');
  await moderator.getByRole('button', { name: 'Add rule' }).click();
  await moderator
    .getByRole('alert')
    .getByText(/no regular expression/)
    .waitFor();
  let tries = 0;
  await expect
    .poll(
      async () =>
        (await author.call('POST', `/v1/rooms/${roomId}/messages`, { clientId: `r${tries++}`, text: 'SEEDLINGS!' }))
          .body.code,
      { interval: 500 },
    )
    .toBe('message_blocked');

  await moderator.keyboard.press('Escape');
  await messages(moderator).getByText('Seedlings again').first().hover();
  await moderator.getByRole('button', { name: 'Moderate', exact: true }).nth(1).click();
  await moderator.getByLabel('Reason of a ban (optional)').fill('enough');
  await picture(moderator, 'member');
  await moderator.getByRole('button', { name: 'Ban', exact: true }).click();
  await confirm(moderator, 'Ban');
  await moderator.getByText(`${author.username} is banned.`).waitFor();
  await moderator.keyboard.press('Escape');
  await watching.getByRole('button', { name: '2 people' }).waitFor();

  const night = await visit(owner, 'Allotment', { colorScheme: 'dark', viewport: { width: 390, height: 780 } });
  await night.getByRole('button', { name: 'Moderation' }).click();
  await night.getByRole('button', { name: 'Bans' }).click();
  await night.getByText('enough').waitFor();
  await picture(night, 'bans-phone-dark');
  await night.getByRole('button', { name: 'Log', exact: true }).click();
  await night.getByText('removed a message').waitFor();
  const width = await night.evaluate('document.documentElement.scrollWidth');
  expect(width).toBe(390);
  await picture(night, 'log-phone-dark');
  await night.getByRole('button', { name: 'Queue' }).click();
  await night.getByRole('button', { name: 'Approved' }).click();
  await night.getByText('third time today').waitFor();
  await picture(night, 'queue-phone-dark');
});
