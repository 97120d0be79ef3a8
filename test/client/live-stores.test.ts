/** The client that apps install, in Node, against a running Parley. */
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { createParleyClient, type ParleyClient, type ParleyOptions } from '../../src/client/index.ts';
import { BlockedWebSocket } from '../harness/blocked-web-socket.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
let ana: TestUser;
let ben: TestUser;

beforeAll(async () => {
  parley = await useSharedParley();
  [ana, ben] = (await Promise.all([1, 2].map(() => signUp(parley.url)))) as [TestUser, TestUser];
});

function startClient(user: TestUser, options: ParleyOptions = {}): ParleyClient {
  const client = createParleyClient({ url: parley.url, token: async () => user.accessToken, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** What the stores promise holds on each network. */
const networks: readonly (readonly [string, ParleyOptions])[] = [
  ['over a WebSocket', {}],
  ['over an event stream', { WebSocket: BlockedWebSocket }],
];

const post = (user: TestUser, room: string, text: string) =>
  mustCall(user, 'POST', `/v1/rooms/${room}/messages`, { clientId: text, text });

test.each(networks)(
  '%s a message is shown at once, and becomes the stored one under the same key',
  async (_network, options) => {
    const roomId = await createRoom([ana, ben]);
    const [client, other] = [startClient(ana, options), startClient(ben, options)];
    const { messages } = other.room(roomId);
    onTestFinished(messages.subscribe(() => {}));
    const room = client.room(roomId);
    const shown: string[][] = [];
    onTestFinished(
      room.messages.subscribe(({ items }) => shown.push(items.map(({ key, status }) => `${key} ${status}`))),
    );
    await expect.poll(() => room.messages.get().status).toBe('ready');
    const sent = await room.send('Hello *everyone*', { clientId: 'c1' });
    await expect.poll(() => room.messages.get().items.map(({ status }) => status)).toEqual(['sent']);
    const [message] = room.messages.get().items;
    expect(message).toMatchObject({ id: sent.messageId, seq: sent.seq, html: '<p>Hello <em>everyone</em></p>\n' });
    expect(shown.flat()).toContain(`${ana.id}:c1 sending`);
    expect(shown.every((keys) => keys.length <= 1)).toBe(true);
    await expect.poll(() => messages.get().items.map(({ text }) => text)).toEqual(['Hello *everyone*']);
  },
);

test('a snapshot is the same object until something changed, and so is each message that did not change', async () => {
  const roomId = await createRoom([ana, ben]);
  await post(ben, roomId, 'one');
  const { messages } = startClient(ana).room(roomId);
  onTestFinished(messages.subscribe(() => {}));
  await expect.poll(() => messages.get().items.length).toBe(1);
  const before = messages.get();
  expect(messages.get()).toBe(before);
  await post(ben, roomId, 'two');
  await expect.poll(() => messages.get().items.length).toBe(2);
  expect(messages.get()).not.toBe(before);
  expect(messages.get().items[0]).toBe(before.items[0]);
});

test('the history is read in pages both ways from a message in the middle', async () => {
  const roomId = await createRoom([ana, ben]);
  const sent: { id: string; text: string }[] = [];
  for (let n = 1; n <= 120; n++)
    sent.push((await post(ben, roomId, `m${n}`)) as unknown as { id: string; text: string });
  const { messages } = startClient(ana).room(roomId);
  await messages.showAround(sent[60]!.id);
  const texts = () => messages.get().items.map(({ text }) => text);
  expect(texts()).toContain('m61');
  expect(messages.get()).toMatchObject({ hasOlder: true, hasNewer: true });
  while (messages.get().hasOlder) await messages.loadOlder();
  while (messages.get().hasNewer) await messages.loadNewer();
  expect(texts()).toEqual(sent.map(({ text }) => text));
  await post(ben, roomId, 'live');
  await expect.poll(() => texts().at(-1)).toBe('live');
});

test.each(networks)(
  '%s a refused message stays as failed, with the reason, and can be discarded',
  async (_network, options) => {
    const roomId = await createRoom([ana, ben]);
    const room = startClient(ana, options).room(roomId);
    await room.messages.load();
    const refused = room.send('XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X');
    await expect(refused).rejects.toMatchObject({ code: 'message_blocked', retryable: false });
    const failed = room.messages.get().items.at(-1);
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'message_blocked' } });
    expect(await room.messages.discard(failed!.key)).toContain('GTUBE');
    expect(room.messages.get().items).toEqual([]);
  },
);

test('rooms, unread counts, members, pins, typing and presence follow what others do', async () => {
  const roomId = await createRoom([ana, ben]);
  const [client, other] = [startClient(ana), startClient(ben)];
  const stores = [client.rooms, client.unread, client.room(roomId).members, client.room(roomId).typing];
  for (const store of stores) onTestFinished(store.subscribe(() => {}));
  const presence = client.presence([ben.id]);
  onTestFinished(presence.subscribe(() => {}));
  await expect.poll(() => client.rooms.get().items.some(({ id }) => id === roomId)).toBe(true);
  expect(client.room(roomId).get()).toMatchObject({ id: roomId, unread: 0 });
  const room = other.room(roomId);
  const { messageId } = await room.send(`@${ana.username} look`);
  await expect.poll(() => client.unread.get().mentions).toBe(1);
  expect(client.rooms.get().items[0]).toMatchObject({ id: roomId, unread: 1 });
  await client.room(roomId).markRead((await client.room(roomId).messages.load()).items.at(-1)!.seq);
  await expect.poll(() => client.room(roomId).get()?.unread).toBe(0);
  expect(client.unread.get().mentions).toBe(0);
  await client.room(roomId).pins.load();
  await room.pin(messageId);
  await expect
    .poll(() =>
      client
        .room(roomId)
        .pins.get()
        .items.map(({ id }) => id),
    )
    .toEqual([messageId]);
  room.setTyping(true);
  await expect
    .poll(() =>
      client
        .room(roomId)
        .typing.get()
        .map(({ id }) => id),
    )
    .toEqual([ben.id]);
  expect(
    client
      .room(roomId)
      .members.get()
      .items.map(({ user }) => user.id)
      .sort(),
  ).toEqual([ana.id, ben.id].sort());
  await expect.poll(() => presence.get().get(ben.id)?.presence).toBe('online');
});

test.each(networks)('%s a thread has its own messages, and its root counts them', async (_network, options) => {
  const roomId = await createRoom([ana, ben]);
  const root = (await post(ben, roomId, 'root')) as unknown as { id: string };
  const room = startClient(ana, options).room(roomId);
  await room.messages.load();
  const thread = room.thread(root.id);
  onTestFinished(thread.messages.subscribe(() => {}));
  await thread.send('a reply');
  await expect
    .poll(() => thread.messages.get().items.map(({ text, status }) => `${text} ${status}`))
    .toEqual(['a reply sent']);
  expect(room.messages.get().items.map(({ text }) => text)).toEqual(['root']);
  await expect.poll(() => thread.root.get()?.thread?.replyCount).toBe(1);
});

test('a token that is refused is asked for once more, and then the connection is unauthorized until the app connects again', async () => {
  let asked = 0;
  let token = 'no.such.token';
  const client = startClient(ana, {
    token: async () => {
      asked += 1;
      return token;
    },
  });
  onTestFinished(client.rooms.subscribe(() => {}));
  await expect.poll(() => client.connection.get().status).toBe('unauthorized');
  expect(asked).toBeLessThanOrEqual(3);
  token = ana.accessToken;
  client.connect();
  await expect.poll(() => client.connection.get().status).toBe('online');
});

test.each(networks)('%s a room that the user has to leave disappears with its messages', async (_network, options) => {
  const roomId = await createRoom([ana, ben]);
  await post(ana, roomId, 'hello');
  const client = startClient(ben, options);
  onTestFinished(client.rooms.subscribe(() => {}));
  const { messages } = client.room(roomId);
  onTestFinished(messages.subscribe(() => {}));
  await expect.poll(() => messages.get().items.length).toBe(1);
  await mustCall(ana, 'DELETE', `/v1/rooms/${roomId}/members/${ben.id}`);
  await expect.poll(() => client.rooms.get().items.some(({ id }) => id === roomId)).toBe(false);
  expect(messages.get().items).toEqual([]);
});
