import { expect, onTestFinished, test } from 'vitest';
import { ParleyError } from '../parley-error.ts';
import type { RoomEvent, ServerFrame } from '../types.ts';
import type { Locks } from './leadership.ts';
import type { Link, MakeLink, SocketListener, SocketState } from './live-socket.ts';
import type { LogPosition } from './log-position.ts';
import { type TabChannel, TabLink } from './tab-link.ts';

const event = (seq: number) => ({ type: 'room.deleted', roomId: 'r', seq, at: '', data: { by: 'x' } }) as RoomEvent;
let names = 0;

/** A connection whose server is this test. It resumes as a LiveSocket does. */
class FakeLink implements Link {
  state: SocketState = { name: 'off' };
  readonly asked: Readonly<Record<string, unknown>>[] = [];
  readonly listener: SocketListener;
  readonly position: LogPosition;
  resumedFrom: unknown;

  constructor(listener: SocketListener, position: LogPosition) {
    this.listener = listener;
    this.position = position;
  }

  start(): void {
    this.resumedFrom = this.position.resume();
    const rooms = [
      {
        id: 'r',
        seq: 5,
        readableFrom: 1,
        name: '',
        kind: 'room',
        lastReadSeq: 0,
        unread: 0,
        mentions: 0,
        readVersion: 0,
      },
    ] as const;
    this.position.welcome('log', rooms);
    this.listener.onWelcome({ user: {}, rooms });
    this.#become({ name: 'live' });
  }

  stop(): void {
    this.#become({ name: 'off' });
  }

  wake(): void {}

  async ask(frame: Readonly<Record<string, unknown>>): Promise<ServerFrame> {
    this.asked.push(frame);
    if (frame.type === 'refused') throw new ParleyError('forbidden', 'no', { errors: [] });
    return { type: 'ack', id: '1', echo: frame.text };
  }

  tell(next: RoomEvent): void {
    this.position.take(next);
    this.listener.onEvent(next);
  }

  #become(state: SocketState): void {
    this.state = state;
    this.listener.onState(state);
  }
}

/** Tabs that share what Node has of it: real locks, and real channels. */
function createTabs() {
  const links: FakeLink[] = [];
  const name = `test ${names++}`;
  const locks = navigator.locks as unknown as Locks;
  const channels: TabChannel[] = [];
  return {
    links,
    channels,
    open: (given = name) => {
      const told: string[] = [];
      const listener: SocketListener = {
        onState: (state) => told.push(state.name),
        onWelcome: ({ blockedIds = [] }) => told.push(['welcome', ...blockedIds].join(' ')),
        onEvent: ({ seq }) => told.push(`event ${seq}`),
        onReset: (_roomId, seq) => told.push(`reset ${seq}`),
        onSignal: ({ type }) => told.push(type),
        onEnd: () => told.push('end'),
      };
      const makeLink: MakeLink = (each, position) => {
        const link = new FakeLink(each, position!);
        links.push(link);
        return link;
      };
      const openChannel = (channel: string) => {
        const opened = new BroadcastChannel(channel) as TabChannel;
        channels.push(opened);
        return opened;
      };
      const link = new TabLink({
        sharing: { locks, openChannel },
        name: async () => given || undefined,
        makeLink,
        listener,
      });
      onTestFinished(() => link.stop());
      link.start();
      return { link, told };
    },
  };
}

test('many tabs have one connection: all hear its events, and all send through it', async () => {
  const { open, links } = createTabs();
  const tabs = Array.from({ length: 20 }, () => open());
  await expect.poll(() => tabs.every(({ link }) => link.state.name === 'live')).toBe(true);
  expect(links).toHaveLength(1);
  links[0]!.tell(event(6));
  await expect.poll(() => tabs.every(({ told }) => told.at(-1) === 'event 6')).toBe(true);
  for (const { link } of tabs) expect((await link.ask({ type: 'say', text: 'hi' })).echo).toBe('hi');
  await expect(tabs[7]!.link.ask({ type: 'refused' })).rejects.toMatchObject({ code: 'forbidden' });
  expect(links[0]!.asked).toHaveLength(21);
});

test('when the leader ends the next tab resumes where the events were, and no tab hears one twice', async () => {
  const { open, links } = createTabs();
  const tabs = [open(), open(), open()];
  await expect.poll(() => tabs.every(({ link }) => link.state.name === 'live')).toBe(true);
  links[0]!.tell(event(6));
  await expect.poll(() => tabs.every(({ told }) => told.includes('event 6'))).toBe(true);
  const leader = tabs.find(({ link }) => link.isLeading())!;
  const others = tabs.filter((tab) => tab !== leader);
  leader.link.stop();
  await expect.poll(() => links.length).toBe(2);
  expect(links[1]!.resumedFrom).toEqual({ logId: 'log', rooms: { r: 6 } });
  links[1]!.tell(event(7));
  for (const { told } of others) {
    await expect.poll(() => told.filter((each) => each.startsWith('event'))).toEqual(['event 6', 'event 7']);
    expect(told.some((each) => each.startsWith('reset'))).toBe(false);
  }
});

test('a tab that missed an event is told so', async () => {
  const { open, links, channels } = createTabs();
  const tabs = [open(), open()];
  await expect.poll(() => tabs.every(({ link }) => link.state.name === 'live')).toBe(true);
  const follower = tabs.find(({ link }) => !link.isLeading())!;
  const channel = channels[tabs.indexOf(follower)]!;
  const hear = channel.onmessage;
  // As a frozen tab, whose messages the browser drops.
  channel.onmessage = null;
  links[0]!.tell(event(6));
  await new Promise((resolve) => setTimeout(resolve, 50));
  channel.onmessage = hear;
  links[0]!.tell(event(7));
  await expect.poll(() => follower.told.at(-1)).toBe('reset 7');
  links[0]!.tell(event(8));
  await expect.poll(() => follower.told.at(-1)).toBe('event 8');
});

test('a tab that opens later knows the users blocked since the connection began', async () => {
  const { open, links } = createTabs();
  const first = open();
  await expect.poll(() => first.link.state.name).toBe('live');
  const change = (userId: string, blocked: boolean) =>
    links[0]!.listener.onSignal({ type: 'block.updated', data: { userId, blocked } });
  change('ben', true);
  change('eve', true);
  change('ben', false);
  const later = open();
  await expect.poll(() => later.told).toContain('welcome eve');
});

test('one connection watches the people of all tabs, and shows the user as present while one tab is used', async () => {
  const { open, links } = createTabs();
  const tabs = [open(), open()];
  await expect.poll(() => tabs.every(({ link }) => link.state.name === 'live')).toBe(true);
  await tabs[0]!.link.ask({ type: 'presence.watch', userIds: ['a', 'b'] });
  await tabs[1]!.link.ask({ type: 'presence.watch', userIds: ['b', 'c'] });
  expect([...(links[0]!.asked.at(-1)!.userIds as string[])].sort()).toEqual(['a', 'b', 'c']);
  await tabs[0]!.link.ask({ type: 'presence', status: 'online' });
  await tabs[1]!.link.ask({ type: 'presence', status: 'away' });
  expect(links[0]!.asked.at(-1)).toMatchObject({ status: 'online' });
  await tabs[0]!.link.ask({ type: 'presence', status: 'away' });
  expect(links[0]!.asked.at(-1)).toMatchObject({ status: 'away' });
});

test('a tab whose user is not known connects for itself', async () => {
  const { open, links } = createTabs();
  const shared = open();
  await expect.poll(() => shared.link.state.name).toBe('live');
  const alone = open('');
  expect(alone.link.state.name).toBe('connecting');
  await expect.poll(() => alone.link.state.name).toBe('live');
  expect(links).toHaveLength(2);
});
