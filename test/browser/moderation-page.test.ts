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
/** Where pictures of the page go, for people who want to look at it. */
const pictures = process.env.PARLEY_TEST_PICTURES;
const picture = async (page: Page, name: string) => {
  if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` });
};

test('the desk shows why texts were blocked, sets slow mode, and shows the staff what was learned and takes it back', async () => {
  const [owner, author, reader] = (await Promise.all([1, 2, 3].map(() => signUp(parley.url)))) as [
    TestUser,
    TestUser,
    TestUser,
  ];
  const roomId = await createRoom([owner, author, reader], { name: 'Orchard' });
  const path = `/v1/rooms/${roomId}/messages`;
  const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
  expect((await author.call('POST', path, { clientId: 'g', text: gtube })).status).toBe(422);
  const desk = await visit(owner, 'Orchard');
  await desk.getByRole('button', { name: 'Moderation' }).click();
  const panes = desk.getByRole('navigation', { name: 'Moderation' });
  await panes.getByRole('button', { name: 'Blocked' }).click();
  await desk
    .getByRole('region', { name: 'Blocked' })
    .getByText(/test 100 % \(gtube\)/)
    .waitFor();
  expect(await desk.content()).not.toContain('GTUBE-STANDARD');
  await panes.getByRole('button', { name: 'Slow mode' }).click();
  await desk.getByRole('combobox', { name: 'Slow mode' }).selectOption('60');
  await desk.getByText('one message a minute, for everybody but moderators.').waitFor();
  expect(await mustCall(author, 'GET', `/v1/rooms/${roomId}`)).toMatchObject({ slowModeSeconds: 60 });
  // What was learned is the deployment's.
  await expect.poll(() => panes.getByRole('button', { name: 'Learned' }).count()).toBe(0);
  await picture(desk, 'slow-mode');

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
  await learned.getByText('Nothing was learned yet.').waitFor();
});

test('a reader reports by keyboard; the owner sees it in context, removes it, gives it back, tries a rule, makes it, and bans', async () => {
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
  // Who is no moderator sees no desk.
  await expect.poll(() => watching.getByRole('button', { name: 'Moderation' }).count()).toBe(0);

  const desk = await visit(owner, 'Allotment');
  await desk.getByRole('button', { name: 'Moderation' }).click();
  const entry = desk.getByRole('article', { name: `Message by ${author.username}` });
  await entry.getByText('third time today').waitFor();
  await expect
    .poll(() => entry.getByRole('listitem').allTextContents())
    .toEqual([
      expect.stringContaining('The beans are up'),
      expect.stringContaining('Seedlings again'),
      expect.stringContaining('No adverts here'),
      expect.stringContaining('third time today'),
    ]);
  await picture(desk, 'queue');
  await entry.getByLabel('Note for the log').fill('adverts');
  await entry.getByRole('button', { name: 'Remove' }).click();
  await desk.getByText('Nothing waits for a decision.').waitFor();
  await messages(watching).getByText('This message was deleted.').waitFor();
  await expect.poll(() => messages(watching).getByText('Seedlings again').count()).toBe(0);

  await desk.getByRole('button', { name: 'Removed', exact: true }).click();
  await entry.getByText('Seedlings again').waitFor();
  await entry.getByRole('button', { name: 'Give back' }).click();
  await messages(watching).getByText('Seedlings again').waitFor();

  await desk.getByRole('button', { name: 'Rules' }).click();
  await desk.getByLabel('Pattern').fill('seedlings');
  await desk.getByRole('button', { name: 'Try it on the last 7 days' }).click();
  await desk.getByText('It would have blocked 1 of 3 messages, by 1 person.').waitFor();
  await picture(desk, 'rules');
  await desk.getByRole('button', { name: 'Add rule' }).click();
  await desk.getByRole('button', { name: 'Delete rule seedlings' }).waitFor();
  await desk.getByLabel('Kind').selectOption('regex');
  await desk.getByLabel('Pattern').fill('(a)\\1');
  await desk.getByRole('button', { name: 'Add rule' }).click();
  await desk
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

  await desk.keyboard.press('Escape');
  await messages(desk).getByText('Seedlings again').first().hover();
  await desk.getByRole('button', { name: 'Moderate', exact: true }).nth(1).click();
  await desk.getByLabel('Reason of a ban (optional)').fill('enough');
  await picture(desk, 'member');
  await desk.getByRole('button', { name: 'Ban', exact: true }).click();
  await confirm(desk, 'Ban');
  await desk.getByText(`${author.username} is banned.`).waitFor();
  await desk.keyboard.press('Escape');
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
