import { afterAll, beforeAll, expect, test } from 'vitest';
import { callApi, connect, createRoom, mustCall, signUp } from '../harness/test-client.ts';
import { borrowTown, logIn, openSquare, say, type Town } from './moderation-town.ts';

let town: Town;

beforeAll(async () => {
  town = await borrowTown();
});
afterAll(() => town.end());

const actionsOf = async (roomId: string) =>
  (
    await town.sql<{ action: string }[]>`
      select action from moderation_audit where room_id = ${roomId} order by created_at, id`
  ).map(({ action }) => action);

test('a room ban ends the membership at one seq, is refused entry on both instances, and ends when it is lifted', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here, { visibility: 'public' });
  const watching = await connect(town.there, reader);
  const banned = await connect(town.there, author);
  const ban = await mustCall(owner, 'PUT', `/v1/moderation/bans/${author.id}`, { roomId, reason: 'rude' });
  expect(ban).toMatchObject({ user: { id: author.id }, roomId, reason: 'rude', by: { id: owner.id }, expiresAt: null });

  // Nothing after the ban's seq reaches them; a marker in another room proves that it would have arrived by now.
  const elsewhere = await createRoom([owner, author]);
  await say(owner, roomId, 'unseen');
  await say(owner, elsewhere, 'marker');
  await banned.until(({ roomId: where, type }) => where === elsewhere && type === 'message.created');
  expect(banned.texts(roomId)).toEqual([]);
  expect(await banned.until(({ type }) => type === 'room.left')).toMatchObject({ roomId, data: { reason: 'banned' } });
  expect((await watching.until(({ type }) => type === 'member.left')).data).toEqual({
    userId: author.id,
    by: owner.id,
    reason: 'banned',
  });

  const there = author.at(town.there);
  const join = () => there.call('PUT', `/v1/rooms/${roomId}/members/me`);
  expect(await join()).toMatchObject({ status: 403, body: { code: 'banned' } });
  expect((await owner.call('PUT', `/v1/rooms/${roomId}/members/${author.id}`)).body.code).toBe('banned');
  expect((await there.call('POST', `/v1/rooms/${roomId}/messages`, { clientId: 'x', text: 'hm' })).status).toBe(403);
  expect((await mustCall(owner, 'GET', `/v1/moderation/bans?roomId=${roomId}`)).items).toMatchObject([ban]);

  expect((await owner.call('DELETE', `/v1/moderation/bans/${author.id}?roomId=${roomId}`)).status).toBe(204);
  expect((await owner.call('DELETE', `/v1/moderation/bans/${author.id}`, { roomId })).status).toBe(204);
  expect((await join()).status).toBe(200);
  expect(await actionsOf(roomId)).toEqual(['member.ban', 'member.unban']);
  await Promise.all([watching.close(), banned.close()]);
});

test('a ban with an end expires by the clock of the database', async () => {
  const { roomId, owner, author } = await openSquare(town.here, { visibility: 'public' });
  const ban = await mustCall(owner, 'PUT', `/v1/moderation/bans/${author.id}`, { roomId, seconds: 3600 });
  const hour = Date.parse(ban.expiresAt as string) - Date.parse(ban.createdAt as string);
  expect(hour).toBe(3_600_000);
  const join = () => author.call('PUT', `/v1/rooms/${roomId}/members/me`);
  expect(await join()).toMatchObject({ status: 403, body: { until: ban.expiresAt } });
  await town.sql`update moderation_bans set expires_at = now() where room_id = ${roomId}`;
  expect((await join()).status).toBe(200);
  expect((await mustCall(owner, 'GET', `/v1/moderation/bans?roomId=${roomId}`)).items).toEqual([]);
});

test('a user who joins and is banned at the same moment ends up banned', async () => {
  const { roomId, owner } = await openSquare(town.here, { visibility: 'public' });
  for (let round = 0; round < 12; round++) {
    const guest = await signUp(town.there);
    await Promise.all([
      guest.call('PUT', `/v1/rooms/${roomId}/members/me`),
      mustCall(owner, 'PUT', `/v1/moderation/bans/${guest.id}`, { roomId }),
    ]);
    expect((await guest.call('PUT', `/v1/rooms/${roomId}/members/me`)).body.code).toBe('banned');
    const inside = await town.sql`select 1 from members where room_id = ${roomId} and user_id = ${guest.id}`;
    expect(inside).toHaveLength(0);
  }
});

test('moderators ban members, but not each other or the owner; owners ban anybody but themselves', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  await mustCall(owner, 'PATCH', `/v1/rooms/${roomId}/members/${reader.id}`, { role: 'moderator' });
  const second = await signUp(town.here);
  await mustCall(owner, 'PUT', `/v1/rooms/${roomId}/members/${second.id}`, { role: 'moderator' });
  const ban = (actor: typeof owner, userId: string) =>
    actor.call('PUT', `/v1/moderation/bans/${userId}`, { roomId }).then(({ status }) => status);
  expect([
    await ban(author, reader.id),
    await ban(reader, second.id),
    await ban(reader, owner.id),
    await ban(reader, reader.id),
    await ban(owner, owner.id),
    await ban(reader, author.id),
    await ban(owner, second.id),
    await ban(owner, '01a20faa-ce9c-73d2-9ef2-6854d5850778'),
  ]).toEqual([403, 403, 403, 400, 400, 200, 200, 404]);
});

test('a deployment ban ends every session and socket on every instance, and new logins are refused', async () => {
  const admin = await town.hire('admin');
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const socket = await connect(town.there, author);
  const ban = await mustCall(admin, 'PUT', `/v1/moderation/bans/${author.id}`, { reason: 'scams' });
  expect(ban).toMatchObject({ roomId: null, reason: 'scams' });
  for (const url of [town.here, town.there]) {
    expect(await author.at(url).call('GET', '/v1/users/me')).toMatchObject({ status: 403, body: { code: 'banned' } });
    const login = { login: author.username, password: author.password };
    expect(await callApi(url, 'POST', '/v1/auth/login', login)).toMatchObject({
      status: 403,
      body: { code: 'banned' },
    });
  }
  expect(
    (await callApi(town.there, 'POST', '/v1/auth/refresh', { refreshToken: author.refreshToken })).status,
  ).not.toBe(200);
  expect((await socket.closed).code).toBe(4003);
  const { id } = await mustCall(owner, 'POST', '/v1/rooms', { name: 'Without them', visibility: 'private' });
  expect((await owner.call('PUT', `/v1/rooms/${id as string}/members/${author.id}`)).body.code).toBe('banned');
  expect(await say(reader, roomId, 'others go on')).toMatchObject({ text: 'others go on' });

  // The session does not come back when the ban ends.
  await mustCall(admin, 'DELETE', `/v1/moderation/bans/${author.id}`);
  expect((await author.at(town.there).call('GET', '/v1/users/me')).body.code).toBe('unauthenticated');
  const fresh = await logIn(town.there, author);
  expect((await fresh.call('GET', `/v1/rooms/${roomId}`)).status).toBe(200);
});

test('a deployment ban with an end expires by itself', async () => {
  const admin = await town.hire('admin');
  const person = await signUp(town.here);
  await mustCall(admin, 'PUT', `/v1/moderation/bans/${person.id}`, { seconds: 1 });
  const login = () =>
    callApi(town.there, 'POST', '/v1/auth/login', { login: person.username, password: person.password });
  expect((await login()).body.code).toBe('banned');
  await expect.poll(async () => (await login()).status, { interval: 300 }).toBe(200);
});

test('staff ban only below their own role, and room moderators do not ban from the deployment', async () => {
  const [admin, second, moderator] = [await town.hire('admin'), await town.hire('admin'), await town.hire('moderator')];
  const { owner, author } = await openSquare(town.here);
  const ban = (actor: typeof owner, userId: string) =>
    actor.call('PUT', `/v1/moderation/bans/${userId}`, {}).then(({ status }) => status);
  expect([
    await ban(owner, author.id),
    await ban(moderator, admin.id),
    await ban(moderator, moderator.id),
    await ban(admin, second.id),
    await ban(moderator, author.id),
    await ban(admin, moderator.id),
  ]).toEqual([403, 403, 400, 403, 200, 200]);
});

test('staff who are plain members of a room keep their rights as staff', async () => {
  const admin = await town.hire('admin');
  const { roomId, owner, author } = await openSquare(town.here);
  await mustCall(owner, 'PUT', `/v1/rooms/${roomId}/members/${admin.id}`);
  await mustCall(admin, 'PUT', `/v1/rooms/${roomId}/members/${author.id}/mute`, { seconds: 60 });
  expect((await author.call('POST', `/v1/rooms/${roomId}/messages`, { clientId: 'm', text: 'x' })).body.code).toBe(
    'muted',
  );
  await mustCall(admin, 'PUT', `/v1/moderation/bans/${author.id}`, { roomId });
  expect(await actionsOf(roomId)).toEqual(['member.mute', 'member.ban']);
});

test('every act of a moderator is in the audit log, newest first, and the log pages by cursor', async () => {
  const { roomId, owner, author, reader } = await openSquare(town.here);
  const member = `/v1/rooms/${roomId}/members`;
  const message = await say(author, roomId, 'hm');
  await mustCall(owner, 'PUT', `${member}/${author.id}/mute`, { seconds: 5 });
  await mustCall(owner, 'DELETE', `${member}/${author.id}/mute`);
  await mustCall(owner, 'DELETE', `/v1/rooms/${roomId}/messages/${message.id}`);
  await mustCall(owner, 'PATCH', `${member}/${reader.id}`, { role: 'moderator' });
  await mustCall(reader.at(town.there), 'DELETE', `${member}/${author.id}`);
  await mustCall(reader, 'PATCH', `/v1/rooms/${roomId}`, { slowModeSeconds: 30, topic: 'calmer' });
  const seen: { action: string; actor: { id: string }; targetId: string; details: object }[] = [];
  let cursor: string | null = null;
  do {
    const page: Record<string, unknown> = await mustCall(
      owner,
      'GET',
      `/v1/moderation/audit?roomId=${roomId}&limit=2${cursor ? `&cursor=${cursor}` : ''}`,
    );
    seen.push(...(page.items as typeof seen));
    cursor = page.nextCursor as string | null;
  } while (cursor);
  expect(seen.map(({ action, actor, targetId }) => [action, actor.id, targetId])).toEqual([
    ['room.update', reader.id, null],
    ['member.remove', reader.id, author.id],
    ['member.role', owner.id, reader.id],
    ['message.delete', owner.id, message.id],
    ['member.unmute', owner.id, author.id],
    ['member.mute', owner.id, author.id],
  ]);
  expect(seen[0]!.details).toEqual({ slowModeSeconds: 30, texts: ['topic'] });
  const admin = await town.hire('admin');
  await mustCall(admin, 'DELETE', `/v1/rooms/${roomId}`);
  const all = (await mustCall(admin, 'GET', '/v1/moderation/audit?limit=7')).items!;
  expect(all.map(({ action }) => action)).toEqual(['room.delete', ...seen.map(({ action }) => action)]);
});
