import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { startTcpProxy } from '../chaos/tcp-proxy.ts';
import { type ParleyProcess, startParley, wideLimits } from '../harness/parley-process.ts';
import { freePort } from '../harness/ports.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';
import { createDatabase } from '../harness/test-database.ts';

const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
// Instances of every mode are started.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

/** Chat instances with a fallback, which reach their processing instance over a line that a test cuts. */
interface Stage {
  readonly chats: readonly ParleyProcess[];
  readonly startChat: (settings: Readonly<Record<string, string>>) => Promise<ParleyProcess>;
  /** @returns what starts it again */
  readonly killProcessing: () => Promise<() => Promise<void>>;
  readonly cut: () => void;
  readonly mend: () => void;
  /** Resolves when no message waits for a verdict. */
  readonly isSettled: () => Promise<void>;
  readonly end: () => Promise<void>;
}

async function startStage(fallback: 'refuse' | 'pending' | 'open', chatCount: number): Promise<Stage> {
  const database = await createDatabase();
  const sql = postgres(database.url, { max: 1, onnotice: () => {} });
  const common = {
    ...wideLimits,
    DATABASE_URL: database.url,
    REDIS_URL: inject('redisUrl'),
    PARLEY_REDIS_PREFIX: database.url.split('/').at(-1)!,
    PARLEY_MODERATION_FALLBACK: fallback,
  };
  const processingPort = await freePort();
  const startProcessing = () => startParley({ role: 'processing', processingPort, settings: common });
  const line = await startTcpProxy(() => [processingPort]);
  const started = [await startProcessing()];
  const startChat = async (settings: Readonly<Record<string, string>> = {}) => {
    const reached = { ...common, PROCESSING_URL: `http://127.0.0.1:${line.port}`, ...settings };
    const chat = await startParley({ role: 'chat', settings: reached });
    started.push(chat);
    return chat;
  };
  return {
    chats: await Promise.all(Array.from({ length: chatCount }, () => startChat())),
    startChat,
    killProcessing: async () => {
      await started[0]!.kill();
      return async () => void started.push(await startProcessing());
    },
    cut: () => line.become('cut'),
    mend: () => line.become('pass'),
    isSettled: () => expect.poll(() => sql`select message_id from unjudged_messages`).toHaveLength(0),
    end: async () => {
      await Promise.all(started.filter((each) => !each.exited()).map((each) => each.stop()));
      await line.stop();
      await sql.end();
      await database.drop();
    },
  };
}

interface Meeting {
  readonly ana: TestUser;
  readonly ben: TestUser;
  readonly roomId: string;
}

/** Two people in a room, once an earlier outage is over. */
async function meet(stage: Stage, here = stage.chats[0]!.url): Promise<Meeting> {
  const [ana, ben] = (await Promise.all([1, 2].map(() => signUp(here)))) as [TestUser, TestUser];
  await stage.isSettled();
  // A name gets its verdict again.
  const room = { name: 'Test room', visibility: 'private', memberIds: [ben.id] };
  await expect.poll(async () => (await ana.call('POST', '/v1/rooms', room)).status).toBe(201);
  return { ana, ben, roomId: await createRoom([ana, ben]) };
}

const send = (person: TestUser, roomId: string, clientId: string, text: string) =>
  person.call('POST', `/v1/rooms/${roomId}/messages`, { clientId, text });
const textsOf = async (person: TestUser, roomId: string) =>
  ((await mustCall(person, 'GET', `/v1/rooms/${roomId}/messages`)).messages as { text: string }[]).map(
    ({ text }) => text,
  );

/** @param status of a send without a verdict */
async function isFlaggedLate(stage: Stage, status: number): Promise<void> {
  const { ana, roomId } = await meet(stage);
  await mustCall(ana, 'POST', '/v1/moderation/rules', { kind: 'word', pattern: 'zibble', action: 'flag', roomId });
  const queue = async () => (await mustCall(ana, 'GET', `/v1/moderation/queue?roomId=${roomId}`)).items!;
  let tries = 0;
  const isInForce = async () => {
    await send(ana, roomId, `try ${tries}`, `zibble, take ${tries++}`);
    return (await queue()).length > 0;
  };
  await expect.poll(isInForce, { interval: 500 }).toBe(true);
  stage.cut();
  expect((await send(ana, roomId, 'k1', 'a zibble')).status).toBe(status);
  stage.mend();
  const late = async () => (await queue()).filter(({ message }) => (message as { text: string }).text === 'a zibble');
  await expect.poll(late).toMatchObject([{ source: 'engine', message: { deletedAt: null } }]);
}

describe('refuse', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage('refuse', 1);
  });
  afterAll(() => stage.end());

  test('without a verdict nothing is stored, and a retry with the same key succeeds when processing is back', async () => {
    const { ana, ben, roomId } = await meet(stage);
    const startAgain = await stage.killProcessing();
    expect(await send(ana, roomId, 'k', 'hello')).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(await textsOf(ben, roomId)).toEqual([]);
    await startAgain();
    await expect.poll(async () => (await send(ana, roomId, 'k', 'hello')).status).toBe(201);
    expect(await textsOf(ben, roomId)).toEqual(['hello']);
  });
});

describe('pending', () => {
  let stage: Stage;
  let here: string;
  let there: string;
  beforeAll(async () => {
    stage = await startStage('pending', 2);
    [here, there] = stage.chats.map(({ url }) => url) as [string, string];
  });
  afterAll(() => stage.end());

  test('a message is hidden until it is judged, then delivered once and in order; a blocked one is never delivered', async () => {
    const { ana, ben, roomId } = await meet(stage);
    stage.cut();
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

    stage.mend();
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

  test('the bounds per user and in total hold, repeats get the same answer, and refused keys stay free', async () => {
    const bounds = { PARLEY_MODERATION_UNJUDGED_PER_AUTHOR: '2', PARLEY_MODERATION_UNJUDGED_MAX: '3' };
    const bounded = await stage.startChat(bounds);
    const { ana, ben, roomId } = await meet(stage, bounded.url);
    stage.cut();
    const statuses = async (person: TestUser, keys: readonly string[]) => {
      const all: number[] = [];
      for (const key of keys) all.push((await send(person, roomId, key, `text ${key}`)).status);
      return all;
    };
    expect(await statuses(ana, ['a1', 'a2', 'a3'])).toEqual([202, 202, 503]);
    expect(await statuses(ben, ['b1', 'b2'])).toEqual([202, 503]);
    expect(await statuses(ana, ['a2'])).toEqual([202]);
    stage.mend();
    await expect.poll(async () => (await textsOf(ben, roomId)).length).toBe(3);
    // 202 if the delivered message is not deleted from the pending ones yet.
    expect([201, 202]).toContain((await statuses(ana, ['a3']))[0]);
    await expect
      .poll(async () => (await textsOf(ben, roomId)).toSorted())
      .toEqual(['text a1', 'text a2', 'text a3', 'text b1']);
  });

  test('a message that is flagged by its late verdict is in the queue', () => isFlaggedLate(stage, 202));

  test('a waiting message is not delivered to a user who has blocked its author since', async () => {
    const { ana, ben, roomId: shared } = await meet(stage);
    const { id: roomId } = (await mustCall(ana, 'POST', '/v1/dms', { userIds: [ben.id] })) as { id: string };
    stage.cut();
    const author = await connect(here, ana);
    expect((await send(ana, roomId, 'k1', 'to you alone')).status).toBe(202);
    await mustCall(ben, 'PUT', `/v1/users/me/blocks/${ana.id}`);
    stage.mend();
    const notice = await author.until(({ type, clientId }) => type === 'notice' && clientId === 'k1');
    expect(notice).toMatchObject({ code: 'not_found', roomId });
    expect((await send(ana, shared, 'k2', 'to all')).status).toBeLessThan(300);
    await expect.poll(() => textsOf(ben, shared)).toEqual(['to all']);
    expect(await textsOf(ben, roomId)).toEqual([]);
    await author.close();
  });

  test('an acknowledged message survives the death of its instance', async () => {
    const { ana, ben, roomId } = await meet(stage);
    stage.cut();
    expect((await send(ana, roomId, 'k', 'kept')).status).toBe(202);
    await stage.chats[0]!.kill();
    stage.mend();
    await expect.poll(() => textsOf(ben.at(there), roomId)).toEqual(['kept']);
  });
});

describe('open', () => {
  let stage: Stage;
  let there: string;
  beforeAll(async () => {
    stage = await startStage('open', 2);
    there = stage.chats[1]!.url;
  });
  afterAll(() => stage.end());

  test('a message is delivered as plain text at once and rendered later; if its verdict is block, it is redacted', async () => {
    const { ana, ben, roomId } = await meet(stage);
    stage.cut();
    const reader = await connect(there, ben);
    const sent = await send(ana, roomId, 'k1', 'some *words* <b>');
    expect(sent).toMatchObject({ status: 201, body: { html: '<p>some *words* &lt;b&gt;</p>\n' } });
    expect((await send(ana, roomId, 'k2', gtube)).status).toBe(201);
    expect(await textsOf(ben, roomId)).toEqual(['some *words* <b>', gtube]);
    stage.mend();
    const deletion = await reader.until(({ type }) => type === 'message.deleted');
    const rendered = await reader.until(({ type }) => type === 'message.updated');
    expect(rendered.data).toMatchObject({
      message: { html: expect.stringContaining('<em>words</em>') as string, editedAt: null },
    });
    expect(deletion.data).toMatchObject({ by: ana.id });
    expect(await textsOf(ben, roomId)).toEqual(['some *words* <b>', '']);
    await reader.close();
  });

  test('a message that is flagged by its late verdict is in the queue', () => isFlaggedLate(stage, 201));
});
