/** The last login method of an account cannot be removed. */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { macHost } from '../harness/host-applications.ts';
import { type SharedParley, useSharedParley } from '../harness/shared-parley.ts';
import { type Answer, callApi } from '../harness/test-client.ts';
import { Browser } from './oidc-issuer.ts';
import { createSoftwareAuthenticator } from './software-authenticator.ts';

let parley: SharedParley;
let sql: postgres.Sql;

beforeAll(async () => {
  parley = await useSharedParley();
  sql = postgres(parley.database.url, { max: 2, onnotice: () => {} });
});
afterAll(() => sql.end());

/** A user who logged in through the provider and has no password. */
async function startPerson() {
  const name = `p${randomBytes(4).toString('hex')}`;
  const back = await new Browser().logIn(`${parley.url}/v1/auth/oauth/acme`, name);
  const code = new URLSearchParams(back.hash.slice(1)).get('code');
  const { body } = await callApi(parley.url, 'POST', '/v1/auth/oauth/token', { code });
  const headers = { authorization: `Bearer ${String(body.accessToken)}` };
  const call = (method: string, path: string, sent?: unknown) => callApi(parley.url, method, path, sent, headers);
  const { items } = (await call('GET', '/v1/users/me/identities')).body;
  const { id } = body.user as { id: string };
  return { id, call, unlink: () => call('DELETE', `/v1/users/me/identities/${String(items![0]!.id)}`) };
}
type Person = Awaited<ReturnType<typeof startPerson>>;

async function addPasskey({ call }: Person, verified: boolean) {
  const device = createSoftwareAuthenticator(parley.url);
  const begun = (await call('POST', '/v1/users/me/second-factors/passkeys/options')).body as never;
  const kept = await call('POST', '/v1/users/me/second-factors/passkeys', device.register(begun, verified));
  expect(kept.status).toBe(201);
  return { ...device, remove: () => call('DELETE', `/v1/users/me/second-factors/${device.id}`) };
}

async function logInBy({ prove }: { prove: (begun: never, verified: boolean) => object }): Promise<Answer> {
  const begun = (await callApi(parley.url, 'POST', '/v1/auth/passkey/options')).body as never;
  return callApi(parley.url, 'POST', '/v1/auth/passkey', prove(begun, true));
}

const conflict = { status: 409, body: { code: 'conflict' } };

test('a passkey that verifies its owner is a login method and cannot be removed as the last one', async () => {
  const person = await startPerson();
  expect(await person.unlink()).toMatchObject(conflict);
  const passkey = await addPasskey(person, true);
  expect((await person.unlink()).status).toBe(204);
  expect((await logInBy(passkey)).body.user).toMatchObject({ id: person.id });
  expect(await passkey.remove()).toMatchObject(conflict);
  const other = await addPasskey(person, true);
  expect((await passkey.remove()).status).toBe(204);
  expect(await other.remove()).toMatchObject(conflict);
  expect((await person.call('PUT', '/v1/users/me/password', { newPassword: 'quite a good one' })).status).toBe(204);
  expect((await other.remove()).status).toBe(204);
});

test('a passkey that never verified its owner is no login method', async () => {
  const person = await startPerson();
  const passkey = await addPasskey(person, false);
  expect(await person.unlink()).toMatchObject(conflict);
  expect((await logInBy(passkey)).status).toBe(200);
  expect((await person.unlink()).status).toBe(204);
});

test('of a provider and a passkey that are removed concurrently, one stays', async () => {
  const person = await startPerson();
  const passkey = await addPasskey(person, true);
  const answers = await Promise.all([person.unlink(), passkey.remove()]);
  expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
});

test('a factor that is no login method can always be removed', async () => {
  const person = await startPerson();
  await sql`delete from identities where user_id = ${person.id}`;
  const passkey = await addPasskey(person, false);
  expect((await passkey.remove()).status).toBe(204);
});

test.each([
  ['a host application', macHost.issuer, null, 204],
  ['a host application that is configured no more', 'https://gone.example', null, 409],
  ['a provider that is configured no more', 'https://gone.example', 'gone', 409],
])('%s beside the provider', async (_name, known, provider, status) => {
  const person = await startPerson();
  await sql`insert into identities (issuer, subject, user_id, provider)
    values (${known}, ${person.id}, ${person.id}, ${provider})`;
  expect((await person.unlink()).status).toBe(status);
});
