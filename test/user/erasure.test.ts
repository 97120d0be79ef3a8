import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Config } from '../../src/config/load.ts';
import type { Sql } from '../../src/database/connect.ts';
import { findTraces } from '../../src/roles/commands/erasure-verifier.ts';
import { type BorrowedFleet, borrowFleet } from '../harness/borrowed-fleet.ts';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { callApi, connect, createRoom, mustCall, signUp } from '../harness/test-client.ts';

// The verifier runs as a separate process, several times.
vi.setConfig({ testTimeout: 180_000 });

const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const run = promisify(execFile);
let fleet: BorrowedFleet;
let sql: postgres.Sql;

beforeAll(async () => {
  fleet = await borrowFleet();
  sql = postgres(fleet.database.url, { max: 2, onnotice: () => {} });
});
afterAll(async () => {
  await sql.end();
  await fleet.end();
});

const [here, there] = [() => fleet.chats[0]!.url, () => fleet.chats[1]!.url];

async function finished(userId: string): Promise<void> {
  await expect
    .poll(async () => (await sql`select finished_at from erasures where user_id = ${userId}`)[0]?.finished_at ?? null)
    .not.toBeNull();
}

/** What the verifier prints, without a process of its own. */
async function traces(userId: string, ...texts: string[]): Promise<string> {
  const own = postgres(fleet.database.url, { max: 1, onnotice: () => {} });
  const redis = { url: fleet.redis.url, prefix: fleet.redis.prefix } as Config['redis'];
  const { findings } = await findTraces({ sql: own as unknown as Sql, redis, wanted: { userId, texts } });
  await own.end();
  return findings.map(({ place, what, count }) => `${place}: ${what} ${count}`).join('\n');
}

/** The verifier as an operator runs it. */
async function verify(...words: string[]): Promise<{ code: number; output: string }> {
  const env = {
    ...nodeEnvironment,
    DATABASE_URL: fleet.database.url,
    REDIS_URL: fleet.redis.url,
    PARLEY_REDIS_PREFIX: fleet.redis.prefix,
  };
  try {
    const { stdout } = await run(process.execPath, [entry, 'admin', 'verify-erased', ...words], { env });
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}

/** A user with data in every place that can contain a user's data. */
async function seed(marker: string) {
  const [person, other] = [await signUp(here(), `n${marker}`), await signUp(here())];
  await mustCall(person, 'PATCH', '/v1/users/me', {
    displayName: `Name ${marker}`,
    avatarUrl: `https://x.example/${marker}.png`,
    status: { text: `Status ${marker}` },
    invisible: true,
  });
  const room = await createRoom([other, person], { name: 'Garden' });
  const own = await createRoom([person], { name: `Alone ${marker}`, topic: `topic ${marker}` });
  await mustCall(person, 'PATCH', `/v1/rooms/${own}`, { name: `Still alone ${marker}` });
  const owned = await createRoom([person, other], { name: 'Orchard' });
  const dm = (await mustCall(person, 'POST', '/v1/dms', { userIds: [other.id] })).id as string;
  const sent: string[] = [];
  for (const each of [room, owned, dm]) {
    for (let at = 0; at < 5; at++) {
      // The last one is in a thread, which its author follows.
      const thread = at === 4 ? { threadId: sent.at(-1) } : {};
      const draft = { clientId: `${marker}-${at}`, text: `I wrote ${marker} ${at}`, ...thread };
      sent.push((await mustCall(person, 'POST', `/v1/rooms/${each}/messages`, draft)).id as string);
    }
  }
  await mustCall(person, 'PATCH', `/v1/rooms/${room}/messages/${sent[0]}`, { text: `I changed ${marker}` });
  await mustCall(other, 'POST', `/v1/rooms/${room}/messages`, { clientId: 'others', text: 'somebody else’s words' });
  await mustCall(person, 'PUT', `/v1/users/me/blocks/${(await signUp(here())).id}`);
  await mustCall(person, 'PUT', `/v1/rooms/${room}/read`, { seq: 3 });
  const ownPoll = { clientId: `${marker}-poll`, poll: { question: `Who likes ${marker}?`, options: ['I', marker] } };
  await mustCall(person, 'POST', `/v1/rooms/${own}/messages`, ownPoll);
  for (const anonymous of [true, false]) {
    const poll = { question: 'Tea?', options: ['Yes', 'No'], anonymous };
    const asked = await mustCall(other, 'POST', `/v1/rooms/${room}/messages`, { clientId: `poll-${anonymous}`, poll });
    await mustCall(person, 'PUT', `/v1/rooms/${room}/messages/${asked.id as string}/vote`, { options: [0] });
  }
  await mustCall(person, 'PUT', `/v1/rooms/${room}/notifications`, { level: 'mentions' });
  const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
  await mustCall(person, 'PUT', `/v1/rooms/${room}/draft`, { text: `unsent ${marker}` });
  await mustCall(person, 'PUT', `/v1/rooms/${room}/messages/${sent[1]}/bookmark`, {
    ...{ note: `note ${marker}`, remindAt: inAnHour },
  });
  await mustCall(person, 'POST', `/v1/rooms/${room}/scheduled`, {
    ...{ clientId: `later ${marker}`, text: `later ${marker}`, sendAt: inAnHour },
  });
  await mustCall(person, 'PUT', '/v1/users/me/notifications', { email: { enabled: true, digest: 'daily' } });
  await person.call('POST', '/v1/rooms', { name: 'Once', visibility: 'private' }, { 'idempotency-key': marker });
  await callApi(here(), 'POST', '/v1/auth/password/forgot', { email: person.email });
  // Data that no public route writes.
  await sql`insert into identities (issuer, subject, user_id, provider, profile)
    values (${fleet.host.issuer}, ${marker}, ${person.id}, null, ${sql.json({ name: marker })})`;
  await sql`insert into mails (id, user_id, kind, state, due_at, recipient)
    values (gen_random_uuid(), ${person.id}, 'unread', 'owed', now() + interval '1 hour', ${person.email})`;
  await sql`insert into development_mailbox (id, recipient, subject, text) values
    (gen_random_uuid(), 'somebody@example.org', 'unread', ${`Name ${marker}: hello`})`;
  const queueId = crypto.randomUUID();
  await sql`insert into moderation_queue (id, room_id, message_id, author_id, source, labels, note)
    values (${queueId}, ${room}, ${sent[1]!}, ${person.id}, 'report', ${sql.json([{ matched: marker }])}, ${marker})`;
  await sql`insert into moderation_reports (queue_id, reporter_id, reason) values (${queueId}, ${other.id}, ${marker})`;
  await sql`insert into moderation_audit (id, room_id, actor_id, action, target_id, details)
    values (gen_random_uuid(), ${room}, ${other.id}, 'ban', ${person.id}, ${sql.json({ reason: marker })})`;
  await sql`insert into moderation_removals (message_id, room_id, author_id, text, html)
    values (${sent[2]!}, ${room}, ${person.id}, ${marker}, ${marker})`;
  await sql`insert into message_streams (message_id, room_id, author_id, text, length)
    values (${sent[3]!}, ${room}, ${person.id}, ${marker}, ${marker.length})`;
  await sql`insert into learned_examples (moderator_id, label, text)
    values (${other.id}, 'spam', ${`I wrote ${marker} 3`})`;
  return { person, other, room, own, owned, dm };
}

test('after an erasure no table, job or key contains the user, and the logs of others are complete', async () => {
  const marker = 'zqmarkerone';
  const { person, other, room, own, owned, dm } = await seed(marker);
  const before = await verify(person.id, '--contains', marker);
  expect(before.code).toBe(1);
  const watching = await connect(there(), other);
  const [mine, theirs] = [await connect(here(), person), await connect(there(), person)];

  const began = performance.now();
  const answer = await person.call('DELETE', '/v1/users/me', { password: person.password });
  expect(answer).toMatchObject({ status: 200, body: { userId: person.id } });
  const { receipt } = answer.body as { receipt: string };
  for (const socket of [mine, theirs]) expect((await socket.closed).code).toBe(4003);
  for (const url of [here(), there()]) {
    expect((await person.at(url).call('GET', '/v1/users/me')).status).toBe(401);
    expect((await other.at(url).call('GET', `/v1/users/${person.id}`)).status).toBe(404);
  }
  const login = { login: person.username, password: person.password };
  expect((await callApi(here(), 'POST', '/v1/auth/login', login)).status).toBe(401);
  expect((await callApi(here(), 'POST', '/v1/auth/refresh', { refreshToken: person.refreshToken })).status).toBe(401);
  await finished(person.id);
  const seconds = (performance.now() - began) / 1000;

  const after = await verify(receipt, '--contains', marker);
  process.stdout.write(
    `erasure: ${before.output.trim().split('\n').at(-1)}; after ${seconds.toFixed(1)} s ${after.output.trim()}\n`,
  );
  expect(after.output).toMatch(/^0 found of .* in \d+ columns of \d+ tables and \d+ keys of Redis\n$/);

  // Others: the same seqs everywhere, tombstones in them, the room with an owner, nobody's name.
  for (const each of [room, owned, dm]) {
    for (const url of [here(), there()]) {
      const { events } = (await mustCall(other.at(url), 'GET', `/v1/rooms/${each}/events?limit=100`)) as {
        events: { seq: number; type: string }[];
      };
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
      expect(events.filter(({ type }) => type === 'message.deleted')).toHaveLength(5);
      expect(JSON.stringify(events)).not.toContain(marker);
    }
    const { messages } = await mustCall(other, 'GET', `/v1/rooms/${each}/messages`);
    expect(JSON.stringify(messages)).not.toContain(marker);
  }
  expect((await mustCall(other, 'GET', `/v1/rooms/${owned}/members`)).items).toMatchObject([{ role: 'owner' }]);
  await watching.until(({ type, roomId }) => type === 'member.left' && roomId === dm);
  expect(watching.events(room).filter(({ type }) => type === 'message.deleted')).toHaveLength(5);
  expect((await other.call('GET', `/v1/rooms/${own}`)).status).toBe(404);
  await watching.close();
  const resumed = await connect(there(), other, {
    logId: watching.welcome.logId as string,
    rooms: { [room]: 0, [dm]: 0 },
  });
  await resumed.until(({ type }) => type === 'resumed');
  expect(JSON.stringify(resumed.frames)).not.toContain(marker);
});

test('an erasure also deletes moderation decisions, lessons and invites of the user', async () => {
  const marker = 'zqmoderated';
  const [owner, person, reader] = [await signUp(here()), await signUp(here(), `n${marker}`), await signUp(here())];
  const room = await createRoom([owner, person, reader], { name: 'Garden' });
  const decide = async (text: string, decision: string) => {
    const { id } = await mustCall(person, 'POST', `/v1/rooms/${room}/messages`, { clientId: text, text });
    const path = `/v1/rooms/${room}/messages/${id as string}/report`;
    const { id: entry } = await mustCall(reader, 'POST', path, { reason: `spam of ${marker}` });
    const note = `about ${marker}`;
    await mustCall(owner, 'POST', `/v1/moderation/queue/${entry as string}`, { decision, note });
    await expect.poll(async () => (await sql`select from learned_examples where text = ${text}`).length).toBe(1);
    return id as string;
  };
  await decide(`removed words of ${marker}`, 'remove');
  // Like older lessons, which do not say who wrote the text.
  await sql`update learned_examples set author_id = null where text = ${`removed words of ${marker}`}`;
  const approved = await decide(`approved words of ${marker}`, 'approve');
  await mustCall(person, 'DELETE', `/v1/rooms/${room}/messages/${approved}`);
  await mustCall(person, 'POST', `/v1/rooms/${room}/invites`, {});
  await mustCall(person, 'DELETE', '/v1/users/me', { password: person.password });
  await finished(person.id);
  expect(await traces(person.id, marker)).toBe('');
});

test('the verifier finds leftovers in every place', async () => {
  const person = await signUp(here());
  expect((await person.call('DELETE', '/v1/users/me', {})).status).toBe(200);
  await finished(person.id);
  expect(await traces(person.id)).toBe('');
  await sql`create table forgotten (owner uuid, note jsonb)`;
  await sql`insert into forgotten values (${person.id}, ${sql.json({ deep: { note: 'zqleftover' } })})`;
  await sql`select graphile_worker.add_job('unread_mail', ${sql.json({ mailId: 'zqleftover' })}::json, run_at => now() + interval '1 day')`;
  const redis = new Redis(fleet.redis.url);
  const key = `${fleet.redis.prefix}:cache:zqleftover`;
  await redis.set(key, person.id);
  const found = await verify(person.id, '--contains', 'zqleftover');
  expect(found.code).toBe(1);
  for (const place of ['forgotten.owner: the id', 'forgotten.note: a text', '_private_jobs.payload: a text', 'redis '])
    expect(found.output).toContain(place);
  await redis.del(key);
  redis.disconnect();
  await sql`drop table forgotten`;
});

test('an erasure needs the password or a recent login; a guest needs neither', async () => {
  const person = await signUp(here());
  await sql`update sessions set authenticated_at = now() - interval '6 minutes' where user_id = ${person.id}`;
  expect((await person.call('DELETE', '/v1/users/me')).body).toMatchObject({ code: 'step_up_required' });
  expect((await person.call('DELETE', '/v1/users/me', { password: 'not hers at all' })).status).toBe(403);
  expect((await person.call('GET', '/v1/users/me')).status).toBe(200);
  expect((await person.call('DELETE', '/v1/users/me', { password: person.password })).status).toBe(200);
  const guest = await callApi(here(), 'POST', '/v1/auth/guest', { displayName: 'Passing by' });
  const headers = { authorization: `Bearer ${guest.body.accessToken}` };
  await sql`update sessions set authenticated_at = now() - interval '6 minutes'`;
  expect((await callApi(here(), 'DELETE', '/v1/users/me', undefined, headers)).status).toBe(200);
});

test('an older token does not create the account again, and a later login creates a new one', async () => {
  const subject = 'zq-returning';
  const old = await fleet.host.sign({ sub: subject, name: 'Returning' });
  const call = (token: string, method: string, path = '/v1/users/me', at = here()) =>
    callApi(at, method, path, undefined, { authorization: `Bearer ${token}` });
  const first = (await call(old, 'GET')).body.id as string;
  expect((await call(old, 'DELETE')).status).toBe(200);
  await finished(first);
  const sibling = await fleet.host.sign({
    sub: subject,
    name: 'Returning',
    jti: 'made before, shown later',
    iat: Math.floor(Date.now() / 1000) - 1,
  });
  for (const url of [here(), there()]) {
    expect((await call(old, 'GET', '/v1/users/me', url)).status).toBe(401);
    expect((await call(sibling, 'GET', '/v1/users/me', url)).status).toBe(401);
  }
  expect(await traces(first, 'zq-returning')).toBe('');
  const later = await fleet.host.sign({ sub: subject, name: 'Returning', iat: Math.floor(Date.now() / 1000) + 2 });
  const second = await call(later, 'GET', '/v1/users/me', there());
  expect(second.status).toBe(200);
  expect(second.body.id).not.toBe(first);
});

test('another instance finishes the erasure of a killed one, without gaps or repetitions', async () => {
  const [person, other] = [await signUp(there()), await signUp(here())];
  const rooms: string[] = [];
  for (let at = 0; at < 3; at++) rooms.push(await createRoom([other, person], { name: 'Garden' }));
  const socket = await connect(there(), person);
  // In batches of 50: on a slow machine more at once than it can moderate in time are refused.
  for (const room of rooms)
    for (let batch = 0; batch < 5; batch++) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, at) => socket.say(room, `zqkilled ${batch * 50 + at}`)),
      );
      expect(answers.filter(({ type }) => type !== 'ack')).toEqual([]);
    }
  // The last room cannot be finished: its rows are held by somebody else.
  const stuck = [...rooms].sort().at(-1)!;
  const holder = postgres(fleet.database.url, { max: 1 });
  let release: (() => void) | undefined;
  const holding = holder.begin(async (tx) => {
    await tx`select from events where room_id = ${stuck} for update`;
    await new Promise<void>((resolve) => {
      release = resolve;
    });
  });
  await expect.poll(() => release).toBeDefined();
  expect((await person.call('DELETE', '/v1/users/me', { password: person.password })).status).toBe(200);
  const left = async () =>
    Number((await sql`select count(*) from events where actor_id = ${person.id} and text <> ''`)[0]!.count);
  await expect.poll(left).toBe(250);
  await fleet.chats[1]!.kill();
  release!();
  await holding;
  await holder.end();
  await finished(person.id);
  expect(await left()).toBe(0);
  for (const room of rooms) {
    const types = await sql`select type, count(*)::int as count from events where room_id = ${room} group by type`;
    expect(Object.fromEntries(types.map(({ type, count }) => [type, count]))).toMatchObject({
      'message.created': 250,
      'message.deleted': 250,
      'member.left': 1,
    });
  }
  expect(await traces(person.id, 'zqkilled')).toBe('');
});
