import { inflateRawSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { callApi, connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
beforeAll(async () => {
  parley = await useSharedParley();
});

/** Reads a ZIP archive through its directory, as unzip does. */
function readZip(bytes: Buffer): Map<string, unknown[]> {
  const end = bytes.length - 22;
  expect(bytes.toString('latin1', end, end + 4)).toBe('PK\x05\x06');
  const files = new Map<string, unknown[]>();
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    const [size, nameLength] = [bytes.readUInt32LE(at + 20), bytes.readUInt16LE(at + 28)];
    const [offset, name] = [bytes.readUInt32LE(at + 42), bytes.toString('ascii', at + 46, at + 46 + nameLength)];
    const start = offset + 30 + bytes.readUInt16LE(offset + 26);
    files.set(name, JSON.parse(inflateRawSync(bytes.subarray(start, start + size)).toString('utf8')) as unknown[]);
    at += 46 + nameLength;
  }
  return files;
}

const archiveOf = (user: TestUser) =>
  fetch(`${parley.url}/v1/users/me/export`, { headers: { authorization: `Bearer ${user.accessToken}` } });

test('the archive contains all data of the user, page by page, and nothing of others', async () => {
  const [ana, ben] = [await signUp(parley.url), await signUp(parley.url)];
  const room = await createRoom([ana, ben]);
  const poll = { question: 'Shall we plant?', options: ['Yes', 'No'], anonymous: true };
  const asked = await mustCall(ana, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'poll', poll });
  const votePath = `/v1/rooms/${room}/messages/${asked.id as string}/vote`;
  await Promise.all([ana, ben].map((person) => mustCall(person, 'PUT', votePath, { options: [1] })));
  const [socket, others] = [await connect(parley.url, ana), await connect(parley.url, ben)];
  for (let from = 0; from < 1200; from += 200) {
    const acks = await Promise.all(Array.from({ length: 200 }, (_, at) => socket.say(room, `mine ${from + at}`)));
    expect(new Set(acks.map(({ type }) => type))).toEqual(new Set(['ack']));
  }
  const { messageId: threadId } = await others.say(room, 'the secret of ben');
  await mustCall(ana, 'PUT', `/v1/rooms/${room}/messages/${threadId as string}/thread/follow`);
  await mustCall(ana, 'PUT', '/v1/users/me/notifications', { email: { enabled: false } });
  const answer = await archiveOf(ana);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('application/zip');
  const bytes = Buffer.from(await answer.arrayBuffer());
  const files = readZip(bytes);
  expect([...files.keys()]).toEqual(
    expect.arrayContaining([
      'account/000001.json',
      'sessions/000001.json',
      'messages/000001.json',
      'messages/000002.json',
    ]),
  );
  expect(files.get('account/000001.json')).toMatchObject([{ id: ana.id, email: ana.email }]);
  expect(files.get('votes/000001.json')).toEqual([{ messageId: asked.id, roomId: room, options: [1] }]);
  expect(files.get('polls/000001.json')).toMatchObject([{ messageId: asked.id, question: poll.question }]);
  const texts = ['messages/000001.json', 'messages/000002.json'].flatMap((name) =>
    files.get(name)!.map((each) => (each as { text: string }).text),
  );
  expect(texts).toEqual(['', ...Array.from({ length: 1200 }, (_, at) => `mine ${at}`)]);
  expect(files.get('threads/000001.json')).toMatchObject([{ threadId, roomId: room, following: true }]);
  const whole = JSON.stringify([...files]);
  for (const absent of ['the secret of ben', ben.id, ben.email, ben.username, 'passwordHash', 'argon2', 'hash"'])
    expect(whole).not.toContain(absent);
});

test('the number of exports per hour is limited', async () => {
  const user = await signUp(parley.url);
  const answers = [];
  for (let at = 0; at < 4; at++) answers.push((await archiveOf(user)).status);
  expect(answers).toEqual([200, 200, 200, 429]);
});

test('a blocked user cannot contact the blocker, and blocks are idempotent and limited', async () => {
  const [ana, ben, eve] = [await signUp(parley.url), await signUp(parley.url), await signUp(parley.url)];
  const begun = (await mustCall(ben, 'POST', '/v1/dms', { userIds: [ana.id] })).id as string;
  const socket = await connect(parley.url, ben);
  const { messageId } = await socket.say(begun, 'hello');
  expect((await ana.call('PUT', `/v1/users/me/blocks/${ben.id}`)).status).toBe(204);
  expect((await ana.call('PUT', `/v1/users/me/blocks/${ben.id}`)).status).toBe(204);
  const blocked = await ben.call('POST', '/v1/dms', { userIds: [ana.id] });
  expect(blocked.status).toBe(404);
  // Exactly the answer for a user who does not exist.
  const nobody = crypto.randomUUID();
  const absent = JSON.stringify((await ben.call('POST', '/v1/dms', { userIds: [nobody] })).body);
  expect(JSON.stringify(blocked.body)).toBe(absent.replaceAll(nobody, ana.id));
  expect(await socket.say(begun, 'are you there?')).toMatchObject({ type: 'error', code: 'not_found' });
  const draft = { clientId: 'by-rest', text: 'and so?' };
  expect((await ben.call('POST', `/v1/rooms/${begun}/messages`, draft)).status).toBe(404);
  // Editing an earlier message does not help either.
  const edited = { type: 'message.edit', roomId: begun, messageId, text: 'read this instead' };
  expect(await socket.ask(edited)).toMatchObject({ type: 'error', code: 'not_found' });
  const first = `/v1/rooms/${begun}/messages/${messageId as string}`;
  expect((await ben.call('PATCH', first, { text: edited.text })).status).toBe(404);
  expect(await mustCall(ana, 'GET', first)).toMatchObject({ text: 'hello', editedAt: null });
  expect((await eve.call('POST', '/v1/dms', { userIds: [ben.id] })).status).toBe(201);
  await ana.call('PUT', `/v1/users/me/blocks/${eve.id}`);
  expect((await eve.call('POST', '/v1/dms', { userIds: [ana.id] })).status).toBe(404);
  expect((await mustCall(ana, 'GET', '/v1/users/me/blocks')).items!.map(({ id }) => id)).toEqual([eve.id, ben.id]);
  expect((await ana.call('PUT', `/v1/users/me/blocks/${(await signUp(parley.url)).id}`)).status).toBe(409);
  expect((await ana.call('PUT', `/v1/users/me/blocks/${ana.id}`)).status).toBe(400);
  expect((await ben.call('PUT', `/v1/users/me/blocks/${crypto.randomUUID()}`)).status).toBe(404);
  expect((await ana.call('DELETE', `/v1/users/me/blocks/${ben.id}`)).status).toBe(204);
  expect((await ben.call('POST', '/v1/dms', { userIds: [ana.id] })).body.id).toBe(begun);
  expect((await socket.say(begun, 'hello again')).type).toBe('ack');
  await socket.close();
});

test('a server erases a user and can request the state again', async () => {
  const user = await signUp(parley.url);
  expect((await callApi(parley.url, 'DELETE', `/v1/users/${user.id}`)).status).toBe(401);
  expect((await user.call('DELETE', `/v1/users/${user.id}`)).status).toBe(403);
});
