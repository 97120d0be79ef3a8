import { afterEach, expect, test, vi } from 'vitest';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { type Fleet, startFleet } from '../harness/stack.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
const stops: (() => Promise<unknown>)[] = [];
// Each test starts its own instances and restarts the processing role at the end.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Outage {
  readonly fleet: Fleet;
  readonly here: string;
  readonly there: string;
  readonly ana: TestUser;
  readonly ben: TestUser;
  readonly roomId: string;
  /** Starts the processing role again on the same port. */
  readonly heal: () => Promise<ParleyProcess>;
}

/** Two chat instances whose only processing instance was just killed. */
async function startOutage(
  fallback: 'refuse' | 'pending' | 'open',
  settings: Readonly<Record<string, string>> = {},
): Promise<Outage> {
  const all = { ...settings, PARLEY_MODERATION_FALLBACK: fallback };
  const fleet = await startFleet({ chats: 2, processings: 1, settings: all });
  stops.push(fleet.end);
  const [here, there] = fleet.chats.map(({ url }) => url) as [string, string];
  const [ana, ben] = (await Promise.all([1, 2].map(() => signUp(here)))) as [TestUser, TestUser];
  const roomId = await createRoom([ana, ben]);
  const [lost] = fleet.processings;
  await lost!.kill();
  return {
    fleet,
    here,
    there,
    ana,
    ben,
    roomId,
    heal: async () => {
      const healed = await startParley({
        role: 'processing',
        processingPort: Number(new URL(lost!.processingUrl).port),
        settings: { DATABASE_URL: fleet.database.url, PARLEY_MODERATION_FALLBACK: fallback },
      });
      stops.push(healed.stop);
      return healed;
    },
  };
}

const send = (person: TestUser, roomId: string, clientId: string, text: string) =>
  person.call('POST', `/v1/rooms/${roomId}/messages`, { clientId, text });
const textsOf = async (person: TestUser, roomId: string) =>
  ((await mustCall(person, 'GET', `/v1/rooms/${roomId}/messages`)).messages as { text: string }[]).map(
    ({ text }) => text,
  );

test('refuse: without a verdict nothing is stored, and a retry with the same key succeeds when processing is back', async () => {
  const { ana, ben, roomId, heal } = await startOutage('refuse');
  expect(await send(ana, roomId, 'k', 'hello')).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  expect(await textsOf(ben, roomId)).toEqual([]);
  await heal();
  await expect.poll(async () => (await send(ana, roomId, 'k', 'hello')).status).toBe(201);
  expect(await textsOf(ben, roomId)).toEqual(['hello']);
});

test('pending: a message is hidden until it is judged, then delivered once and in order; a blocked one is never delivered', async () => {
  const { there, here, ana, ben, roomId, heal } = await startOutage('pending');
  const [author, reader] = [await connect(here, ana), await connect(there, ben)];
  const first = await author.say(roomId, 'one', 'k1');
  expect(first).toMatchObject({ type: 'ack', pending: true, messageId: expect.any(String) as string });
  expect(first.seq).toBeUndefined();
  expect(await author.say(roomId, 'one', 'k1')).toMatchObject({ messageId: first.messageId, duplicate: true });
  expect(await author.say(roomId, 'other words', 'k1')).toMatchObject({ type: 'error', code: 'conflict' });
  expect((await send(ana, roomId, 'k2', gtube)).status).toBe(202);
  expect((await send(ana.at(there), roomId, 'k3', 'three')).status).toBe(202);
  expect(await textsOf(ben, roomId)).toEqual([]);
  const edited = await ana.call('PATCH', `/v1/rooms/${roomId}`, { name: 'unjudged name' });
  expect(edited).toMatchObject({ status: 503 });

  await heal();
  await expect.poll(() => textsOf(ben, roomId)).toEqual(['one', 'three']);
  const notice = await author.until(({ type, code }) => type === 'notice' && code === 'message_blocked');
  expect(notice).toMatchObject({ clientId: 'k2', roomId, labels: [{ name: 'test' }] });
  await reader.until(({ type, data }) => type === 'message.created' && JSON.stringify(data).includes('"three"'));
  expect(reader.texts(roomId)).toEqual(['one', 'three']);
  expect(JSON.stringify(reader.frames)).not.toContain('GTUBE');
  // The key still belongs to the first message.
  expect(await send(ana, roomId, 'k1', 'one')).toMatchObject({ status: 200, body: { id: first.messageId } });
  await Promise.all([author.close(), reader.close()]);
});

test('pending: the bounds per user and in total hold, repeats get the same answer, and refused keys stay free', async () => {
  const bounds = { PARLEY_MODERATION_UNJUDGED_PER_AUTHOR: '2', PARLEY_MODERATION_UNJUDGED_MAX: '3' };
  const { ana, ben, roomId, heal } = await startOutage('pending', bounds);
  const statuses = async (person: TestUser, keys: readonly string[]) => {
    const all: number[] = [];
    for (const key of keys) all.push((await send(person, roomId, key, `text ${key}`)).status);
    return all;
  };
  expect(await statuses(ana, ['a1', 'a2', 'a3'])).toEqual([202, 202, 503]);
  expect(await statuses(ben, ['b1', 'b2'])).toEqual([202, 503]);
  expect(await statuses(ana, ['a2'])).toEqual([202]);
  await heal();
  await expect.poll(async () => (await textsOf(ben, roomId)).length).toBe(3);
  // 202 if the delivered message is not deleted from the pending ones yet.
  expect([201, 202]).toContain((await statuses(ana, ['a3']))[0]);
  await expect
    .poll(async () => (await textsOf(ben, roomId)).toSorted())
    .toEqual(['text a1', 'text a2', 'text a3', 'text b1']);
});

test.each(['pending', 'open'] as const)(
  '%s: a message that is flagged by its late verdict is in the queue',
  async (mode) => {
    const fleet = await startFleet({ chats: 1, processings: 1, settings: { PARLEY_MODERATION_FALLBACK: mode } });
    stops.push(fleet.end);
    const [chat] = fleet.chats;
    const [processing] = fleet.processings;
    const [ana, ben] = (await Promise.all([signUp(chat!.url), signUp(chat!.url)])) as [TestUser, TestUser];
    const roomId = await createRoom([ana, ben]);
    await mustCall(ana, 'POST', '/v1/moderation/rules', { kind: 'word', pattern: 'zibble', action: 'flag', roomId });
    await processing!.kill();
    const sent = await send(ana, roomId, 'k1', 'a zibble');
    expect(sent.status).toBe(mode === 'open' ? 201 : 202);
    const healed = await startParley({
      role: 'processing',
      processingPort: Number(new URL(processing!.processingUrl).port),
      settings: { DATABASE_URL: fleet.database.url, PARLEY_MODERATION_FALLBACK: mode },
    });
    stops.push(healed.stop);
    const queue = async () => (await mustCall(ana, 'GET', `/v1/moderation/queue?roomId=${roomId}`)).items;
    await expect.poll(queue).toMatchObject([{ source: 'engine', message: { text: 'a zibble', deletedAt: null } }]);
  },
);

test('pending: a waiting message is not delivered to a user who has blocked its author since', async () => {
  const { here, ana, ben, roomId: shared, heal } = await startOutage('pending');
  const { id: roomId } = (await mustCall(ana, 'POST', '/v1/dms', { userIds: [ben.id] })) as { id: string };
  const author = await connect(here, ana);
  expect((await send(ana, roomId, 'k1', 'to you alone')).status).toBe(202);
  await mustCall(ben, 'PUT', `/v1/users/me/blocks/${ana.id}`);
  await heal();
  const notice = await author.until(({ type, clientId }) => type === 'notice' && clientId === 'k1');
  expect(notice).toMatchObject({ code: 'not_found', roomId });
  expect((await send(ana, shared, 'k2', 'to all')).status).toBeLessThan(300);
  await expect.poll(() => textsOf(ben, shared)).toEqual(['to all']);
  expect(await textsOf(ben, roomId)).toEqual([]);
  await author.close();
});

test('pending: an acknowledged message survives the death of its instance', async () => {
  const { fleet, there, ana, ben, roomId, heal } = await startOutage('pending');
  expect((await send(ana, roomId, 'k', 'kept')).status).toBe(202);
  await fleet.chats[0]!.kill();
  await heal();
  await expect.poll(() => textsOf(ben.at(there), roomId)).toEqual(['kept']);
});

test('open: a message is delivered as plain text at once and rendered later; if its verdict is block, it is redacted', async () => {
  const { there, ana, ben, roomId, heal } = await startOutage('open');
  const reader = await connect(there, ben);
  const sent = await send(ana, roomId, 'k1', 'some *words* <b>');
  expect(sent).toMatchObject({ status: 201, body: { html: '<p>some *words* &lt;b&gt;</p>\n' } });
  expect((await send(ana, roomId, 'k2', gtube)).status).toBe(201);
  expect(await textsOf(ben, roomId)).toEqual(['some *words* <b>', gtube]);
  await heal();
  const deletion = await reader.until(({ type }) => type === 'message.deleted');
  const rendered = await reader.until(({ type }) => type === 'message.updated');
  expect(rendered.data).toMatchObject({
    message: { html: expect.stringContaining('<em>words</em>') as string, editedAt: null },
  });
  expect(deletion.data).toMatchObject({ by: ana.id });
  expect(await textsOf(ben, roomId)).toEqual(['some *words* <b>', '']);
  await reader.close();
});
