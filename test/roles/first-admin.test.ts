/** The first to register on an embedded database is its admin, and nobody else is. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { holdTable } from '../harness/held-row.ts';
import { startParley } from '../harness/parley-process.ts';
import { callApi, signUp } from '../harness/test-client.ts';

/** Where the embedded server listens, and its password. */
async function urlOf(dir: string): Promise<string> {
  const password = (await readFile(join(dir, 'postgres', 'password'), 'utf8')).trim();
  const port = (await readFile(join(dir, 'postgres', 'data', 'postmaster.pid'), 'utf8')).split('\n')[3]!;
  return `postgres://parley:${password}@127.0.0.1:${port}/parley`;
}

test('of two who register first at the same moment one is the admin; a guest who came before is none', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'parley-first-admin-'));
  const parley = await startParley({ role: 'all', settings: { PARLEY_DATABASE_EMBEDDED_DIR: dir } });
  try {
    const guest = await callApi(parley.url, 'POST', '/v1/auth/guest', { displayName: 'Early' });
    expect(guest).toMatchObject({ status: 201, body: { user: { role: 'user' } } });
    // Each of them has made its account, and the other does not see it.
    const table = await holdTable({ url: await urlOf(dir), drop: async () => {} }, 'known_devices');
    const two = Promise.all([signUp(parley.url), signUp(parley.url)]);
    await table.waiting(2);
    await table.release();
    const people = [...(await two), await signUp(parley.url)];
    const roles = await Promise.all(people.map(async ({ call }) => (await call('GET', '/v1/users/me')).body.role));
    expect(roles.toSorted()).toEqual(['admin', 'user', 'user']);
    expect(roles[2]).toBe('user');
  } finally {
    await parley.stop();
    await rm(dir, { recursive: true, force: true });
  }
});
