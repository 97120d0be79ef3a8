import { beforeAll, expect, test } from 'vitest';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { connect, createRoom, mustCall, signUp, type TestUser } from '../harness/test-client.ts';

let parley: SharedParley;
let [ana, ben, eve]: TestUser[] = [];
const absent = '01890a5d-ac96-774b-bcce-b302099a8057';

beforeAll(async () => {
  parley = await useSharedParley();
  [ana, ben, eve] = await Promise.all([1, 2, 3].map(() => signUp(parley.url)));
});

interface Invite {
  code: string;
  url: string;
  expiresAt: string;
  maxUses: number | null;
  uses: number;
}

const invite = async (maker: TestUser, room: string, terms?: object) =>
  (await mustCall(maker, 'POST', `/v1/rooms/${room}/invites`, terms)) as unknown as Invite;
const accept = (user: TestUser, code: string) => user.call('POST', `/v1/invites/${code}/accept`);
const members = async (room: string) =>
  (await mustCall(ana!, 'GET', `/v1/rooms/${room}/members`)).items!.map((each) => (each.user as { id: string }).id);

test('a user with the code joins, sees the room at once, and every member is notified', async () => {
  const room = await createRoom([ana!]);
  const [there, here] = [await connect(parley.url, ana!), await connect(parley.url, ben!)];
  const made = await invite(ana!, room, { expiresIn: 60 });
  expect(made).toMatchObject({ maxUses: null, uses: 0, url: expect.stringContaining(made.code) });
  expect(Buffer.from(made.code, 'base64url').length).toBeGreaterThanOrEqual(16);
  expect(Date.parse(made.expiresAt) - Date.now()).toBeLessThanOrEqual(60_000);
  expect((await ben!.call('GET', `/v1/rooms/${room}`)).status).toBe(404);
  expect(await accept(ben!, made.code)).toMatchObject({ status: 200, body: { id: room, memberCount: 2, seq: 2 } });
  const joined = { roomId: room, seq: 2, data: { user: { id: ben!.id }, role: 'member', by: ben!.id } };
  expect(await there.until((frame) => frame.type === 'member.joined')).toMatchObject(joined);
  expect(await here.until((frame) => frame.type === 'member.joined')).toMatchObject(joined);
});

test('a member who accepts again stays a member, without an event and without using up the invite', async () => {
  const room = await createRoom([ana!]);
  const { code } = await invite(ana!, room, { maxUses: 1 });
  await accept(ben!, code);
  expect(await accept(ben!, code)).toMatchObject({ status: 200, body: { id: room, seq: 2 } });
  expect(await accept(eve!, code)).toMatchObject({ status: 404, body: { code: 'not_found' } });
});

test('of many users who accept at once, only as many join as the invite has uses', async () => {
  const room = await createRoom([ana!]);
  const { code } = await invite(ana!, room, { maxUses: 2 });
  const people = await Promise.all(Array.from({ length: 6 }, () => signUp(parley.url)));
  const statuses = (await Promise.all(people.map((each) => accept(each, code)))).map(({ status }) => status);
  expect(statuses.sort()).toEqual([200, 200, 404, 404, 404, 404]);
  expect(await members(room)).toHaveLength(3);
});

test('the answer is the same for an unknown code, a used-up invite, an invite of a former member, and a deleted room', async () => {
  const room = await createRoom([ana!, ben!]);
  const ofBen = await invite(ben!, room);
  const ofAna = await invite(ana!, room);
  await mustCall(ana!, 'DELETE', `/v1/rooms/${room}/members/${ben!.id}`);
  const answers = [
    await accept(ben!, ofBen.code),
    await accept(eve!, ofBen.code),
    await accept(eve!, 'no-code-at-all'),
  ];
  await mustCall(ana!, 'DELETE', `/v1/rooms/${room}`);
  answers.push(await accept(eve!, ofAna.code));
  for (const { status, body } of answers)
    expect({ status, detail: body.detail }).toEqual({ status: 404, detail: 'no such invite' });
});

test('an invite expires', async () => {
  const room = await createRoom([ana!]);
  const { code, expiresAt } = await invite(ana!, room, { expiresIn: 1 });
  await expect.poll(() => Date.now() > Date.parse(expiresAt) + 200).toBe(true);
  expect((await accept(eve!, code)).status).toBe(404);
});

test('requests with the same Idempotency-Key create one invite, also at the same time; with other terms they conflict', async () => {
  const room = await createRoom([ana!]);
  const make = (terms: object) => ana!.call('POST', `/v1/rooms/${room}/invites`, terms, { 'idempotency-key': room });
  const answers = await Promise.all([1, 2, 3].map(() => make({ maxUses: 5 })));
  answers.push(await make({ maxUses: 5 }));
  expect(new Set(answers.map(({ body }) => body.code)).size).toBe(1);
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
  expect(await make({ maxUses: 6 })).toMatchObject({ status: 409, body: { code: 'conflict' } });
});

test('outsiders, direct messages, invalid terms and too many invites are refused', async () => {
  const room = await createRoom([ana!]);
  const path = `/v1/rooms/${room}/invites`;
  expect((await eve!.call('POST', path)).status).toBe(404);
  expect((await ana!.call('POST', `/v1/rooms/${absent}/invites`)).status).toBe(404);
  const direct = await mustCall(ana!, 'POST', '/v1/dms', { userIds: [ben!.id] });
  expect((await ana!.call('POST', `/v1/rooms/${direct.id}/invites`)).status).toBe(403);
  for (const terms of [{ expiresIn: 0 }, { expiresIn: 1e12 }, { maxUses: 0 }, { maxUses: 1.5 }, { uses: 1 }])
    expect(await ana!.call('POST', path, terms)).toMatchObject({ status: 400, body: { code: 'invalid' } });
  for (let n = 0; n < 3; n++) await invite(ana!, room);
  expect(await ana!.call('POST', path)).toMatchObject({ status: 409, body: { code: 'conflict' } });
});

const listOf = async (user: TestUser, room: string, query = '') =>
  (await mustCall(user, 'GET', `/v1/rooms/${room}/invites${query}`)).items! as unknown as (Invite & { id: string })[];
const revoke = (user: TestUser, room: string, id: string) => user.call('DELETE', `/v1/rooms/${room}/invites/${id}`);

test('members list their own invites, moderators and owners all of them, and outsiders none', async () => {
  const room = await createRoom([ana!, ben!, eve!]);
  await mustCall(ana!, 'PATCH', `/v1/rooms/${room}/members/${eve!.id}`, { role: 'moderator' });
  const [first, second] = [await invite(ana!, room, { maxUses: 2 }), await invite(ben!, room)];
  for (const [user, codes] of [
    [ben!, [second.code]],
    [eve!, [second.code, first.code]],
    [ana!, [second.code, first.code]],
  ] as const)
    expect((await listOf(user, room)).map(({ code }) => code)).toEqual(codes);
  const [newest] = await listOf(ana!, room, '?limit=1');
  expect(newest).toMatchObject({ ...second, createdBy: ben!.id, createdAt: expect.stringMatching(/Z$/) });
  const page = await mustCall(ana!, 'GET', `/v1/rooms/${room}/invites?limit=1`);
  expect(await listOf(ana!, room, `?limit=1&cursor=${page.nextCursor as string}`)).toMatchObject([
    { code: first.code },
  ]);
  const outsider = await signUp(parley.url);
  expect((await outsider.call('GET', `/v1/rooms/${room}/invites`)).status).toBe(404);
  await mustCall(ana!, 'DELETE', `/v1/rooms/${room}/members/${ben!.id}`);
  expect((await ben!.call('GET', `/v1/rooms/${room}/invites`)).status).toBe(404);
});

test('a revoked invite admits nobody and frees its place for another one', async () => {
  const room = await createRoom([ana!, ben!]);
  const made = [await invite(ana!, room), await invite(ben!, room), await invite(ben!, room)];
  expect((await ana!.call('POST', `/v1/rooms/${room}/invites`)).status).toBe(409);
  const ids = (await listOf(ana!, room)).map(({ id }) => id).reverse();
  expect((await revoke(ben!, room, ids[0]!)).status).toBe(404);
  expect((await revoke(eve!, room, ids[0]!)).status).toBe(404);
  expect((await revoke(ana!, await createRoom([ana!]), ids[0]!)).status).toBe(404);
  // Members revoke their own invite, owners any. Revoking it twice is not_found.
  for (const [user, id, status] of [
    [ben!, ids[1]!, 204],
    [ana!, ids[2]!, 204],
    [ana!, ids[2]!, 404],
  ] as const)
    expect((await revoke(user, room, id)).status).toBe(status);
  for (const { code } of made.slice(1)) expect((await accept(eve!, code)).status).toBe(404);
  expect(await listOf(ana!, room)).toHaveLength(1);
  expect((await ben!.call('POST', `/v1/rooms/${room}/invites`)).status).toBe(201);
  expect((await accept(eve!, made[0]!.code)).status).toBe(200);
});

test('an expired invite is not listed, a used-up one is', async () => {
  const room = await createRoom([ana!]);
  await invite(ana!, room, { expiresIn: 1 });
  const { code } = await invite(ana!, room, { maxUses: 1 });
  await accept(ben!, code);
  await expect.poll(async () => listOf(ana!, room)).toMatchObject([{ code, uses: 1, maxUses: 1 }]);
});
