/** The operations of a model run. Each user does what people do; refusals are part of it. */
import { ClientError, type ReadState } from '../../src/client/parley-client.ts';
import { loseConnection } from './lost-connections.ts';
import type { ModelDevice } from './model-device.ts';

export interface ModelRoom {
  readonly id: string;
  readonly ownerId: string;
}

interface SentMessage {
  readonly id: string;
  readonly by: string;
}

/** What the users know of the world: places to act on. */
export interface ModelWorld {
  readonly rooms: readonly ModelRoom[];
  readonly devices: readonly ModelDevice[];
  readonly userIds: readonly string[];
  /** By room, the newest messages that were sent. */
  readonly messages: Map<string, SentMessage[]>;
  readonly polls: Map<string, SentMessage[]>;
  readonly random: () => number;
}

interface Act {
  readonly device: ModelDevice;
  readonly room: ModelRoom;
  readonly world: ModelWorld;
}

/** @returns the refusal's code; undefined when it was done */
export type Operation = (act: Act) => Promise<unknown>;

const remembered = 60;
const emojis = ['👍', '❤️', '🎉', '👀', '🙏', '😂', '🔥', '✅'];

function pick<Value>(values: readonly Value[], random: () => number): Value | undefined {
  return values[Math.floor(random() * values.length)];
}

function remember(sent: Map<string, SentMessage[]>, { device, room }: Act, id: string): void {
  sent.set(room.id, [...(sent.get(room.id) ?? []), { id, by: device.userId }].slice(-remembered));
}

let texts = 0;

async function send(act: Act, parts: Record<string, unknown> = {}): Promise<void> {
  const { device, room, world } = act;
  const text = `message ${texts++} of ${device.name}`;
  const { messageId } = await device.client.send(room.id, text, parts);
  remember(parts.poll ? world.polls : world.messages, act, messageId);
}

/** Acts on a message that somebody sent; nothing where there is none yet. */
function onMessage(
  act: (messageId: string, by: Act) => Promise<unknown>,
  of: 'messages' | 'polls' = 'messages',
): Operation {
  return async (by) => {
    const sent = pick(by.world[of].get(by.room.id) ?? [], by.world.random);
    if (sent) await act(sent.id, by);
  };
}

/** Mostly on a message of one's own: what others may not do is tried as well. */
function onOwnMessage(act: (messageId: string, by: Act) => Promise<unknown>): Operation {
  return async (by) => {
    const sent = by.world.messages.get(by.room.id) ?? [];
    const own = by.world.random() < 0.8 ? sent.filter((each) => each.by === by.device.userId) : sent;
    const chosen = pick(own, by.world.random);
    if (chosen) await act(chosen.id, by);
  };
}

/** Mostly by the owner of the room: what others may not do is tried as well. */
function byOwner(act: Operation): Operation {
  return async (by) => {
    const owners = by.world.devices.filter(({ userId }) => userId === by.room.ownerId);
    const device = by.world.random() < 0.6 ? pick(owners, by.world.random)! : by.device;
    await act({ ...by, device });
  };
}

function onUser(act: (userId: string, by: Act) => Promise<unknown>): Operation {
  return async (by) => {
    const userId = pick(
      by.world.userIds.filter((id) => id !== by.device.userId),
      by.world.random,
    );
    if (userId !== undefined) await act(userId, by);
  };
}

const pathOf = (roomId: string, messageId: string) => `/v1/rooms/${roomId}/messages/${messageId}`;
const memberPath = (roomId: string, userId: string) => `/v1/rooms/${roomId}/members/${userId}`;

function emojiOf({ world }: Act): string {
  return pick(emojis, world.random)!;
}

function someSeq({ device, room, world }: Act): number {
  return Math.ceil((device.rooms().get(room.id)?.room?.seq ?? 1) * world.random());
}

/** The device takes the answer, while `read.updated` goes to all devices of the user. */
async function mark({ device, room }: Act, asked: Promise<ReadState>): Promise<void> {
  device.takeRead(room.id, await asked);
}

/** Owners bring people back, so that the rooms stay full. */
const addMember: Operation = async ({ room, world }) => {
  const owner = world.devices.find(({ userId }) => userId === room.ownerId)!;
  const userId = pick(world.userIds, world.random)!;
  await owner.client.call('PUT', memberPath(room.id, userId), {});
};

/** With how often each is done, in relation to the others. */
export const operations: Readonly<Record<string, readonly [weight: number, Operation]>> = {
  send: [24, (act) => send(act)],
  mention: [
    3,
    onUser(async (userId, act) => {
      const name = act.world.devices.find((device) => device.userId === userId)!.client.user()!.username;
      const { messageId } = await act.device.client.send(act.room.id, `@${name} look at ${texts++}`);
      remember(act.world.messages, act, messageId);
    }),
  ],
  'mention all': [
    1,
    async (act) => {
      const { messageId } = await act.device.client.send(act.room.id, `@room attention, number ${texts++}`);
      remember(act.world.messages, act, messageId);
    },
  ],
  'mention in thread': [
    1,
    onMessage((threadId, act) => act.device.client.send(act.room.id, `@here look, ${texts++}`, { threadId })),
  ],
  reply: [4, onMessage((replyTo, act) => send(act, { replyTo }))],
  thread: [12, onMessage((threadId, act) => send(act, { threadId }))],
  'thread and room': [2, onMessage((threadId, act) => send(act, { threadId, alsoInRoom: true }))],
  edit: [5, onOwnMessage((id, { device, room }) => device.client.edit(room.id, id, `edited ${texts++}`))],
  'edit to mention': [
    2,
    onUser((userId, act) => {
      const name = act.world.devices.find((device) => device.userId === userId)!.client.user()!.username;
      const text = act.world.random() < 0.3 ? `@room edited ${texts++}` : `@${name} edited ${texts++}`;
      return onOwnMessage((id, { device, room }) => device.client.edit(room.id, id, text))(act);
    }),
  ],
  delete: [3, onOwnMessage((id, { device, room }) => device.client.remove(room.id, id))],
  react: [14, onMessage((id, act) => act.device.client.react(act.room.id, id, emojiOf(act)))],
  unreact: [6, onMessage((id, act) => act.device.client.unreact(act.room.id, id, emojiOf(act)))],
  pin: [3, onMessage((id, { device, room }) => device.client.pin(room.id, id))],
  unpin: [2, onMessage((id, { device, room }) => device.client.unpin(room.id, id))],
  poll: [
    1,
    (act) => send(act, { poll: { question: `question ${texts++}`, options: ['yes', 'no', 'later'], multiple: true } }),
  ],
  vote: [
    4,
    onMessage(
      (id, { device, room, world }) =>
        device.client.vote(
          room.id,
          id,
          [0, 1, 2].filter(() => world.random() < 0.4),
        ),
      'polls',
    ),
  ],
  'close poll': [1, onMessage((id, { device, room }) => device.client.closePoll(room.id, id), 'polls')],
  read: [6, (act) => mark(act, act.device.client.markRead(act.room.id, someSeq(act)))],
  'read all': [2, (act) => mark(act, act.device.client.markRead(act.room.id, Number.MAX_SAFE_INTEGER))],
  unread: [2, (act) => mark(act, act.device.client.markUnread(act.room.id, Math.max(1, someSeq(act))))],
  'thread read': [2, onMessage((id, act) => act.device.client.markThreadRead(act.room.id, id, someSeq(act)))],
  follow: [1, onMessage((id, act) => act.device.client.followThread(act.room.id, id, act.world.random() < 0.5))],
  join: [3, ({ device, room }) => device.client.call('PUT', memberPath(room.id, 'me'), {})],
  leave: [
    1,
    async ({ device, room }) => {
      if (device.userId !== room.ownerId) await device.client.call('DELETE', memberPath(room.id, 'me'));
    },
  ],
  'add member': [5, addMember],
  remove: [1, byOwner(onUser((userId, { device, room }) => device.client.call('DELETE', memberPath(room.id, userId))))],
  ban: [
    1,
    byOwner(
      onUser(async (userId, { device, room }) => {
        await device.client.call('PUT', `/v1/moderation/bans/${userId}`, { roomId: room.id, seconds: 1 });
      }),
    ),
  ],
  promote: [
    1,
    byOwner(
      onUser((userId, { device, room, world }) => {
        const role = world.random() < 0.5 ? 'moderator' : 'member';
        return device.client.call('PATCH', memberPath(room.id, userId), { role });
      }),
    ),
  ],
  mute: [
    1,
    onUser((userId, { device, room }) =>
      device.client.call('PUT', `${memberPath(room.id, userId)}/mute`, { seconds: 1 }),
    ),
  ],
  block: [
    1,
    onUser(async (userId, { device, world }) => {
      await device.client.call(world.random() < 0.3 ? 'PUT' : 'DELETE', `/v1/users/me/blocks/${userId}`);
    }),
  ],
  rename: [
    1,
    byOwner(({ device, room }) => device.client.call('PATCH', `/v1/rooms/${room.id}`, { name: `Room ${texts++}` })),
  ],
  'get message': [1, onMessage((id, { device, room }) => device.client.call('GET', pathOf(room.id, id)))],
  'lose connection': [1, async ({ world }) => loseConnection(world.random)],
};

/** Each operation as often as its weight says. */
const lots = Object.entries(operations).flatMap(([name, [weight, operation]]) =>
  Array.from({ length: weight }, () => [name, operation] as const),
);

/** Does one operation. @returns the code of a refusal, `ok` when it was done */
export async function doOne(world: ModelWorld): Promise<{ readonly name: string; readonly outcome: string }> {
  const { random } = world;
  const [name, operation] = pick(lots, random)!;
  const act = { device: pick(world.devices, random)!, room: pick(world.rooms, random)!, world };
  try {
    await operation(act);
    return { name, outcome: 'ok' };
  } catch (error) {
    if (error instanceof ClientError) return { name, outcome: error.code };
    throw error;
  }
}
