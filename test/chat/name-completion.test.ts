/** `GET /v1/rooms/:roomId/members?query=`: the names that a mention is completed with. */
import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { completeNames } from '../../src/chat/membership/name-completion-repository.ts';
import type { Database } from '../../src/database/connect.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
let sql: postgres.Sql;
beforeAll(async () => {
  parley = await useSharedParley();
  sql = postgres(parley.database.url, { max: 1, onnotice: () => {} });
});
afterAll(() => sql.end());

let marker = 0;
/** A user whose username begins with a word of the test's own. */
async function person(prefix: string, displayName: string): Promise<TestUser> {
  const user = await signUp(parley.url, `${prefix}${Date.now().toString(36)}${marker++}`);
  await mustCall(user, 'PATCH', '/v1/users/me', { displayName });
  return user;
}

async function complete(user: TestUser, roomId: string, query: string, limit = 10): Promise<string[]> {
  const path = `/v1/rooms/${roomId}/members?query=${encodeURIComponent(query)}&limit=${limit}`;
  const { items, nextCursor } = await mustCall(user, 'GET', path);
  expect(nextCursor).toBeNull();
  return (items as { user: { id: string } }[]).map((each) => each.user.id);
}

const say = (user: TestUser, roomId: string) =>
  mustCall(user, 'POST', `/v1/rooms/${roomId}/messages`, { clientId: `c${marker++}`, text: 'hello' });

test('a name is completed from the beginning of the username or of any word of the display name', async () => {
  const ana = await person('zoe', 'Ana Ćosić-Łapińska');
  const ben = await person('wim', 'Ben Zoerner');
  const cal = await person('cal', 'Cal Prezoe');
  const stranger = await person('zoe', 'Zoe Elsewhere');
  const roomId = await createRoom([ana, ben, cal]);
  expect(new Set(await complete(cal, roomId, 'zoe'))).toEqual(new Set([ana.id, ben.id]));
  expect(await complete(cal, roomId, 'COSIC')).toEqual([ana.id]);
  expect(await complete(cal, roomId, 'łapi')).toEqual([ana.id]);
  expect(await complete(cal, roomId, 'lapi')).toEqual([ana.id]);
  expect(await complete(cal, roomId, `@${ben.username.toUpperCase()}`)).toEqual([ben.id]);
  expect(await complete(cal, roomId, 'ben zo')).toEqual([ben.id]);
  expect(await complete(cal, roomId, 'nobody-at-all')).toEqual([]);
  expect(await complete(cal, roomId, `'":*&|!()\\`)).toEqual([]);
  const everybody = new Set([ana.id, ben.id, cal.id]);
  expect(new Set(await complete(cal, roomId, ''))).toEqual(everybody);
  expect(new Set(await complete(cal, roomId, '@'))).toEqual(everybody);
  expect(everybody.has(stranger.id)).toBe(false);
});

test('the people who wrote last come first, then the others by username; `limit` bounds them together', async () => {
  const [a, b, c, d] = [
    await person('ka', 'Kim A'),
    await person('kb', 'Kim B'),
    await person('kc', 'Kim C'),
    await person('kd', 'Kim D'),
  ];
  const roomId = await createRoom([a, b, c, d]);
  await say(d, roomId);
  await say(c, roomId);
  await say(d, roomId);
  expect(await complete(a, roomId, 'kim')).toEqual([d.id, c.id, a.id, b.id]);
  expect(await complete(a, roomId, 'kim', 3)).toEqual([d.id, c.id, a.id]);
  expect(await complete(a, roomId, 'kim', 1)).toEqual([d.id]);
  // Somebody who has left is not completed, although their messages are still there.
  await mustCall(d, 'DELETE', `/v1/rooms/${roomId}/members/me`);
  expect(await complete(a, roomId, 'kim')).toEqual([c.id, a.id, b.id]);
});

test('who may not read the room completes nothing', async () => {
  const [ana, stranger] = [await person('oa', 'Owner'), await person('ob', 'Outsider')];
  const roomId = await createRoom([ana]);
  const path = `/v1/rooms/${roomId}/members?query=o`;
  expect((await stranger.call('GET', path)).status).toBe(404);
  expect((await ana.call('GET', `${path}&cursor=x`)).status).toBe(400);
  expect((await ana.call('GET', `/v1/rooms/${roomId}/members?query=${'x'.repeat(65)}`)).status).toBe(400);
  expect((await ana.call('GET', `/v1/rooms/${roomId}/members?query=%00`)).status).toBe(400);
});

test('in a large room members are found by the index of names, as in a small one', async () => {
  const ana = await person('big', 'Ana');
  const roomId = await createRoom([ana]);
  const tag = `q${Date.now().toString(36)}`;
  await sql`
    with p as (
      insert into users (id, username, display_name)
      select gen_random_uuid(), ${tag} || 'u' || n, 'Member ' || ${tag} || 'w' || n from generate_series(1, 3000) n returning id
    ) insert into members (room_id, user_id, role, joined_seq) select ${roomId}, id, 'member', 1 from p`;
  const client = postgres(parley.database.url, { max: 1, onnotice: () => {} });
  onTestFinished(() => client.end());
  const db = drizzle(client) as unknown as Database;
  const find = async (query: string, memberCount: number) => {
    const found = await completeNames(db, { roomId, query, limit: 3, memberCount });
    const ids = found.map(({ userId }) => userId);
    const rows = await sql`select username from users where id = any(${ids}::uuid[]) order by username`;
    return rows.map(({ username }) => String(username));
  };
  for (const memberCount of [100_000, 10]) {
    expect(await find(`${tag}w2999`, memberCount)).toEqual([`${tag}u2999`]);
    expect(await find(`${tag}u300`, memberCount)).toEqual([`${tag}u300`, `${tag}u3000`]);
    expect(await find(`${tag}w`, memberCount)).toHaveLength(3);
    expect(await find(`${tag}x`, memberCount)).toEqual([]);
  }
});
