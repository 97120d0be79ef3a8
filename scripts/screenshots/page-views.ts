/** The views of the page that are photographed, and the way to each. */
import type { Locator, Page } from 'playwright-core';
import { article, longPress, messages } from '../../test/harness/page-visits.ts';
import { mustCall } from '../../test/harness/test-client.ts';
import { drawHills } from './garden-pictures.ts';
import type { Garden, Lively } from './lively-rooms.ts';

/** One picture that is being taken. */
export interface Shot {
  readonly page: Page;
  readonly device: 'desktop' | 'phone';
  readonly scheme: 'light' | 'dark';
  readonly lively: Lively;
}

export interface View {
  readonly name: string;
  /** In a browser of its own, without a login. */
  readonly apart?: boolean;
  readonly show: (shot: Shot) => Promise<unknown>;
}

const composer = (page: Page) => page.getByLabel('Message', { exact: true });
const dialog = (page: Page, name?: string | RegExp) => page.getByRole('dialog', name === undefined ? {} : { name });
const button = (page: Page | Locator, name: string | RegExp, exact = true) => page.getByRole('button', { name, exact });

/** Goes to an address of the page, and waits until its pictures are there. */
async function goTo({ page, lively }: Shot, place: (garden: Garden) => string): Promise<void> {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, place(lively.garden));
  await messages(page).getByText('Loading …').waitFor({ state: 'detached' });
  await page.waitForLoadState('networkidle');
}

const toRoom = (shot: Shot) => goTo(shot, ({ roomId }) => `#/rooms/${roomId}`);

/** Shows what can be done about a message. */
async function openActions({ page, device }: Shot, message: Locator): Promise<void> {
  if (device === 'phone') {
    await longPress(page, message.locator('.text, .attachments').first(), dialog(page, /^Message by/));
    return;
  }
  await message.hover();
  await button(message, 'More actions').click();
}

async function chooseAction(shot: Shot, message: Locator, name: string): Promise<void> {
  await message.scrollIntoViewIfNeeded();
  await openActions(shot, message);
  const { page, device } = shot;
  await (device === 'phone' ? button(dialog(page), name) : page.getByRole('menuitem', { name })).click();
}

/** Back in the list on a phone; it is beside the room on a desktop. */
async function toList({ page }: Shot): Promise<void> {
  await page.evaluate(() => {
    location.hash = '#/';
  });
  await button(page, 'New room').waitFor();
}

async function openLater(shot: Shot, tab: string): Promise<void> {
  await toList(shot);
  await button(shot.page, 'Later').click();
  await button(dialog(shot.page), tab).click();
  await dialog(shot.page).getByText('Loading …').waitFor({ state: 'detached' });
}

async function addMenu(shot: Shot, item: string): Promise<void> {
  await button(shot.page, 'Add to message').click();
  await shot.page.getByRole('menuitem', { name: item }).click();
}

async function logIn(page: Page, { lively: { url, newcomer } }: Shot): Promise<void> {
  await page.goto(url);
  await page.getByLabel('Username').fill(newcomer.username);
  await page.getByLabel('Password').fill(newcomer.password);
  await button(page, 'Log in').click();
  await page.getByText('No rooms yet').waitFor();
}

const entrances: readonly View[] = [
  { name: 'log-in', apart: true, show: ({ page, lively }) => page.goto(lively.url) },
  {
    name: 'sign-up',
    apart: true,
    show: async ({ page, lively }) => {
      await page.goto(lively.url);
      await button(page, 'Sign up').click();
    },
  },
  { name: 'no-rooms', apart: true, show: (shot) => logIn(shot.page, shot) },
  {
    name: 'nothing-later',
    apart: true,
    show: async (shot) => {
      await logIn(shot.page, shot);
      await openLater(shot, 'Threads');
    },
  },
  { name: 'rooms', show: toList },
  {
    name: 'new-room',
    show: async (shot) => {
      await toList(shot);
      await button(shot.page, 'New room').click();
    },
  },
  {
    name: 'browse',
    show: async (shot) => {
      await toList(shot);
      await button(shot.page, 'Browse').click();
      await dialog(shot.page).getByRole('listitem').first().waitFor();
    },
  },
  {
    name: 'account',
    show: async (shot) => {
      await toList(shot);
      await button(shot.page, /^Account settings/, false).click();
      await shot.page.waitForLoadState('networkidle');
    },
  },
];

const reading: readonly View[] = [
  { name: 'room', show: toRoom },
  {
    name: 'room-above',
    show: async (shot) => {
      await toRoom(shot);
      await article(shot.page, 'The list for the compost').evaluate((each) => each.scrollIntoView({ block: 'center' }));
      await shot.page.waitForLoadState('networkidle');
    },
  },
  {
    name: 'room-pictures',
    show: async (shot) => {
      await toRoom(shot);
      await article(shot.page, 'From this week').evaluate((each) => each.scrollIntoView({ block: 'start' }));
      await shot.page.waitForLoadState('networkidle');
    },
  },
  {
    name: 'empty-room',
    show: async (shot) => {
      await toList(shot);
      await shot.page.getByRole('link', { name: /New ideas/ }).click();
      await messages(shot.page).getByText('This is the beginning').waitFor();
    },
  },
  {
    name: 'unread',
    show: async (shot) => {
      await mustCall(shot.lively.ana, 'PUT', `/v1/rooms/${shot.lively.garden.festivalId}/unread`, { seq: 3 });
      await goTo(shot, ({ festivalId }) => `#/rooms/${festivalId}`);
      await shot.page.getByRole('separator').waitFor();
    },
  },
  {
    name: 'linked',
    show: async (shot) => {
      await goTo(shot, ({ roomId, quotedId }) => `#/rooms/${roomId}/messages/${quotedId}`);
      await shot.page.locator('.linked').waitFor();
    },
  },
  {
    name: 'direct-typing-read',
    show: async (shot) => {
      await goTo(shot, ({ dmId }) => `#/rooms/${dmId}`);
      await shot.page.getByText('Read by').waitFor();
      await shot.lively.sockets.ben.ask({ type: 'typing', roomId: shot.lively.garden.dmId, active: true });
      await shot.page.getByText('is writing').waitFor();
    },
  },
  { name: 'streamed', show: (shot) => goTo(shot, ({ assistantId }) => `#/rooms/${assistantId}`) },
  {
    name: 'thread',
    show: async (shot) => {
      await goTo(shot, ({ roomId, threadId }) => `#/rooms/${roomId}/threads/${threadId}`);
      await shot.page.getByRole('log', { name: 'Replies' }).getByText('Settled').waitFor();
      await shot.page.waitForLoadState('networkidle');
    },
  },
  {
    name: 'pins',
    show: async (shot) => {
      await goTo(shot, ({ roomId }) => `#/rooms/${roomId}/pins`);
      await shot.page.getByRole('complementary', { name: 'Pinned messages' }).getByRole('article').first().waitFor();
    },
  },
  {
    name: 'picture-viewer',
    show: async (shot) => {
      await toRoom(shot);
      await button(shot.page, 'Open picture evening.png').click();
      await shot.page.getByText('2 of 3').waitFor();
      await shot.page.waitForLoadState('networkidle');
    },
  },
  {
    name: 'people',
    show: async (shot) => {
      await toRoom(shot);
      await button(shot.page, '5 people').click();
      await dialog(shot.page).getByRole('listitem').first().waitFor();
    },
  },
  {
    name: 'reconnecting',
    show: async (shot) => {
      await toRoom(shot);
      await shot.page.context().setOffline(true);
      await shot.page.evaluate(() => dispatchEvent(new Event('online')));
      await shot.page.getByText('Reconnecting').waitFor();
      await shot.page.context().setOffline(false);
    },
  },
];

const asking = (shot: Shot) => article(shot.page, 'could you bring the key');

const acting: readonly View[] = [
  {
    name: 'message-actions',
    show: async (shot) => {
      await toRoom(shot);
      await openActions(shot, asking(shot));
    },
  },
  {
    name: 'message-tools',
    show: async (shot) => {
      await toRoom(shot);
      if (shot.device === 'desktop') await asking(shot).hover();
      else await openActions(shot, article(shot.page, 'The new rake'));
    },
  },
  {
    name: 'reaction-picker',
    show: async (shot) => {
      await toRoom(shot);
      await button(asking(shot).getByRole('list', { name: 'Reactions' }), 'React').click();
      await shot.page.getByRole('button', { name: 'grinning face', exact: true }).waitFor();
    },
  },
  {
    name: 'reaction-search',
    show: async (shot) => {
      await toRoom(shot);
      await button(asking(shot).getByRole('list', { name: 'Reactions' }), 'React').click();
      await shot.page.getByLabel('Search emoji').fill('flower');
      await shot.page.getByRole('button', { name: 'sunflower' }).waitFor();
    },
  },
  {
    name: 'edit',
    show: async (shot) => {
      await toRoom(shot);
      const message = article(shot.page, 'The new rake');
      if (shot.device === 'phone') await chooseAction(shot, message, 'Edit');
      else {
        await message.hover();
        await button(message, 'Edit').click();
      }
    },
  },
  {
    name: 'delete',
    show: async (shot) => {
      await toRoom(shot);
      const message = article(shot.page, 'The new rake');
      if (shot.device === 'phone') await chooseAction(shot, message, 'Delete');
      else {
        await message.hover();
        await button(message, 'Delete').click();
      }
      await shot.page.locator('dialog.question').waitFor();
    },
  },
  ...(['Forward …', 'Bookmark …'] as const).map((name) => ({
    name: name.toLowerCase().slice(0, -2),
    show: async (shot: Shot) => {
      await toRoom(shot);
      await chooseAction(shot, asking(shot), name);
      await dialog(shot.page, /^(Forward|Bookmark)/).waitFor();
    },
  })),
  ...(['Report', 'Moderate'] as const).map((name) => ({
    name: name.toLowerCase(),
    show: async (shot: Shot) => {
      await toRoom(shot);
      if (shot.device === 'phone') await chooseAction(shot, asking(shot), name);
      else {
        await asking(shot).hover();
        await button(asking(shot), name).click();
      }
      await dialog(shot.page, new RegExp(`^${name}`)).waitFor();
    },
  })),
  {
    name: 'refused',
    show: async (shot) => {
      await goTo(shot, ({ dmId }) => `#/rooms/${dmId}`);
      await composer(shot.page).fill('WINNER! You have won a FREE prize of $1000 cash, call 09061701461 now to claim');
      await button(shot.page, 'Send').click();
      await messages(shot.page).getByRole('alert').waitFor();
    },
  },
];

const writing: readonly View[] = [
  {
    name: 'mention',
    show: async (shot) => {
      await toRoom(shot);
      await composer(shot.page).pressSequentially('Thanks @');
      await shot.page.getByRole('option').nth(4).waitFor();
    },
  },
  {
    name: 'composer-menu',
    show: async (shot) => {
      await toRoom(shot);
      await composer(shot.page).fill('The second row is **ready** for the beans.\nWho has string?');
      await button(shot.page, 'Add to message').click();
    },
  },
  {
    name: 'composer-emoji',
    show: async (shot) => {
      await toRoom(shot);
      const emoji = button(shot.page, 'Emoji');
      if (await emoji.isVisible()) await emoji.click();
      else await composer(shot.page).fill('A text of one line');
    },
  },
  {
    name: 'uploads',
    show: async (shot) => {
      await toRoom(shot);
      const buffer = await drawHills({ width: 800, height: 600, sky: '#bde0fe', hills: '#386641' });
      const input = shot.page.locator('.room-pane .composer .file-input');
      await input.setInputFiles([{ name: 'first snow.png', mimeType: 'image/png', buffer }]);
      await shot.page.locator('.tray img').waitFor();
      await shot.page.route('**/v1/uploads', () => {});
      await input.setInputFiles([{ name: 'A very long name of a film about bees.mp4', mimeType: 'video/mp4', buffer }]);
      await composer(shot.page).fill('Two more for the album');
      await shot.page.getByRole('progressbar').waitFor();
    },
  },
  {
    name: 'poll',
    show: async (shot) => {
      await toRoom(shot);
      await addMenu(shot, 'Poll …');
      await shot.page.getByLabel('Question').fill('Which day suits you?');
      await shot.page.getByLabel('Option 1').fill('Friday');
    },
  },
  {
    name: 'send-later',
    show: async (shot) => {
      await toRoom(shot);
      await composer(shot.page).fill('Good morning, the gate is open.');
      await addMenu(shot, 'Send later …');
    },
  },
  {
    name: 'status',
    show: async (shot) => {
      await toList(shot);
      await button(shot.page, /^Set a status/, false).click();
    },
  },
  {
    name: 'status-emoji',
    show: async (shot) => {
      await toList(shot);
      await button(shot.page, /^Set a status/, false).click();
      await button(shot.page, 'Choose an emoji').click();
      await shot.page.getByRole('button', { name: 'grinning face', exact: true }).waitFor();
    },
  },
];

const laterAndModeration: readonly View[] = [
  ...['Threads', 'Bookmarks', 'Drafts', 'Scheduled'].map((tab) => ({
    name: `later-${tab.toLowerCase()}`,
    show: (shot: Shot) => openLater(shot, tab),
  })),
  ...['Queue', 'Rules', 'Log'].map((pane) => ({
    name: `moderation-${pane.toLowerCase()}`,
    show: async (shot: Shot) => {
      await toList(shot);
      await button(shot.page, 'Moderation').click();
      await button(dialog(shot.page), pane).click();
      await shot.page.waitForLoadState('networkidle');
    },
  })),
];

export const views: readonly View[] = [...entrances, ...reading, ...acting, ...writing, ...laterAndModeration];
