/** Settings that operators make for a role or a database, and unusual databases. */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { mailTo } from '../harness/mailbox.ts';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { callApi, mustCall, signUp } from '../harness/test-client.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

// Each test starts one or two Parleys of its own.
vi.setConfig({ testTimeout: 240_000 });

let admin: postgres.Sql;
beforeAll(() => {
  admin = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} });
});
afterAll(() => admin.end());

const start = (url: string) => startParley({ role: 'all', settings: { DATABASE_URL: url, LOG_LEVEL: 'info' } });
const nameOf = ({ url }: TestDatabase) => url.split('/').at(-1)!;

/** Starts on a database of these settings, stops and drops it at the end. */
async function withDatabase(
  settings: Readonly<Record<string, string>>,
  use: (parley: ParleyProcess, database: TestDatabase) => Promise<void>,
): Promise<void> {
  const database = await createDatabase();
  try {
    for (const [name, value] of Object.entries(settings))
      await admin.unsafe(`alter database ${nameOf(database)} set ${name} = '${value}'`);
    const parley = await start(database.url);
    try {
      await use(parley, database);
    } finally {
      await parley.stop();
    }
  } finally {
    await database.drop();
  }
}

/** A conversation that reads back times, bytes, lists and races. */
async function converse(parley: ParleyProcess): Promise<void> {
  const [ana, ben] = [await signUp(parley.url), await signUp(parley.url)];
  const me = await mustCall(ana, 'GET', '/v1/users/me');
  expect(Math.abs(Date.parse(String(me.createdAt)) - Date.now())).toBeLessThan(3_600_000);
  const body = { name: 'Team', visibility: 'private', memberIds: [ben.id] };
  const key = { 'idempotency-key': randomBytes(8).toString('hex') };
  const [first, again] = [
    await ana.call('POST', '/v1/rooms', body, key),
    await ana.call('POST', '/v1/rooms', body, key),
  ];
  expect([first.status, again.status, again.body.id]).toEqual([201, 201, first.body.id]);
  const path = `/v1/rooms/${String(first.body.id)}/messages`;
  const text = 'C:\\temp\\new @nobody 😀';
  const sent = await Promise.all(
    [ana, ben, ana, ben, ana, ben].map((each, index) => each.call('POST', path, { text, clientId: `k${index}` })),
  );
  expect(sent.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201, 201]);
  const page = await mustCall(ben, 'GET', path);
  expect((page.messages as { text: string }[]).map((each) => each.text)).toEqual(Array(6).fill(text));
  // Several refreshes at once with one token: one succeeds, the others fail as late.
  const refreshes = await Promise.all(
    [1, 2, 3].map(() => callApi(parley.url, 'POST', '/v1/auth/refresh', { refreshToken: ana.refreshToken })),
  );
  expect(refreshes.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
}

test.each<Record<string, string>>([
  {
    DateStyle: 'German',
    bytea_output: 'escape',
    array_nulls: 'off',
    standard_conforming_strings: 'off',
    default_transaction_isolation: 'serializable',
    lock_timeout: '1ms',
  },
  {
    DateStyle: 'SQL, DMY',
    TimeZone: 'Asia/Kathmandu',
    IntervalStyle: 'sql_standard',
    default_transaction_isolation: 'repeatable read',
    statement_timeout: '50ms',
    transaction_timeout: '250ms',
  },
])('messages work on a database with other session defaults: $DateStyle …', (settings) =>
  withDatabase(settings, converse),
);

test('idle connections stay open although the operator closes idle sessions', async () => {
  await withDatabase({ idle_session_timeout: '200ms' }, async (_parley, database) => {
    await expect
      .poll(async () => {
        const [row] = await admin`select count(*)::int as idle from pg_stat_activity
          where datname = ${nameOf(database)} and application_name like 'parley-%' and state = 'idle' and state_change < now() - interval '1 second'`;
        return row!.idle as number;
      })
      .toBeGreaterThan(0);
  });
});

const failedStart = (url: string) =>
  start(url).then(
    async (parley) => {
      await parley.stop();
      throw new Error('it started');
    },
    (error: Error) => error.message,
  );

async function withRole(run: (role: string, url: (database: string) => string) => Promise<void>): Promise<void> {
  const role = `r_${randomBytes(6).toString('hex')}`;
  await admin.unsafe(`create role ${role} login password 'secret'`);
  const url = new URL(inject('postgresUrl'));
  url.username = role;
  url.password = 'secret';
  try {
    await run(role, (database) => {
      url.pathname = `/${database}`;
      return url.href;
    });
  } finally {
    await admin.unsafe(`drop role ${role}`);
  }
}

test.each(['LATIN1', 'SQL_ASCII'])(
  'a database in %s, which cannot hold every text, is refused at the start with what to do',
  async (encoding) => {
    const name = `t_${randomBytes(8).toString('hex')}`;
    await admin.unsafe(`create database ${name} encoding '${encoding}' locale 'C' template template0`);
    try {
      const message = await failedStart(inject('postgresUrl').replace(/\/postgres$/, `/${name}`));
      expect(message).toContain(`the database's encoding is ${encoding}`);
      expect(message).toContain("ENCODING 'UTF8'");
    } finally {
      await admin.unsafe(`drop database ${name} with (force)`);
    }
  },
);

test('a role without the right to create tables gets an error that names the right', async () => {
  await withRole(async (_role, url) => {
    const name = `t_${randomBytes(8).toString('hex')}`;
    await admin.unsafe(`create database ${name} template template0`);
    try {
      const message = await failedStart(url(name));
      expect(message).toContain('permission denied for database');
      expect(message).toContain('GRANT CREATE ON SCHEMA public TO');
    } finally {
      await admin.unsafe(`drop database ${name} with (force)`);
    }
  });
});

test('a search_path without a schema is reported', async () => {
  const name = `t_${randomBytes(8).toString('hex')}`;
  await admin.unsafe(`create database ${name} template template0`);
  await admin.unsafe(`alter database ${name} set search_path = nowhere`);
  try {
    const message = await failedStart(inject('postgresUrl').replace(/\/postgres$/, `/${name}`));
    expect(message).toContain('search_path');
  } finally {
    await admin.unsafe(`drop database ${name} with (force)`);
  }
});

test('the right to create schemas and tables can be revoked after the first start', async () => {
  const name = `t_${randomBytes(8).toString('hex')}`;
  await admin.unsafe(`create database ${name} template template0`);
  const inside = postgres(inject('postgresUrl').replace(/\/postgres$/, `/${name}`), { max: 1, onnotice: () => {} });
  await withRole(async (role, url) => {
    const rights = `create on database ${name} to ${role}; grant create on schema public to ${role}`;
    await inside.unsafe(`grant ${rights}`);
    await (await start(url(name))).stop();
    await inside.unsafe(`revoke ${rights.replaceAll('grant', 'revoke').replaceAll(' to ', ' from ')}`);
    const parley = await start(url(name));
    await converse(parley).finally(() => parley.stop());
    await inside.unsafe(`reassign owned by ${role} to current_user; drop owned by ${role}`);
  }).finally(async () => {
    await inside.end();
    await admin.unsafe(`drop database ${name} with (force)`);
  });
});

test('in a Turkish database usernames are case-insensitive at login', async () => {
  const name = `t_${randomBytes(8).toString('hex')}`;
  await admin.unsafe(
    `create database ${name} template template0 encoding 'UTF8' locale 'C' locale_provider icu icu_locale 'tr-TR'`,
  );
  try {
    const parley = await start(inject('postgresUrl').replace(/\/postgres$/, `/${name}`));
    try {
      const ivan = await signUp(parley.url, 'IVAN');
      for (const login of ['ivan', 'IVAN', 'ivan@EXAMPLE.org', 'IVAN@example.org'])
        expect([
          login,
          (await callApi(parley.url, 'POST', '/v1/auth/login', { login, password: ivan.password })).status,
        ]).toEqual([login, 200]);
      const twin = { username: 'ivan', email: 'other@example.org', password: ivan.password };
      expect((await callApi(parley.url, 'POST', '/v1/auth/register', twin)).status).toBe(409);
    } finally {
      await parley.stop();
    }
  } finally {
    await admin.unsafe(`drop database ${name} with (force)`);
  }
});

test('a start waits for a read-only database, and reports it if it stays read-only', async () => {
  const database = await createDatabase();
  try {
    await admin.unsafe(`alter database ${nameOf(database)} set default_transaction_read_only = on`);
    const settings = { DATABASE_URL: database.url, PARLEY_DATABASE_STARTUP_TIMEOUT: '1s' };
    const failure = await startParley({ role: 'all', settings }).then(
      () => 'it started',
      (error: Error) => error.message,
    );
    expect(failure).toContain('the database is read-only');
  } finally {
    await database.drop();
  }
});

test('after a failover sends continue, although connections to the old, now read-only server stay open', async () => {
  await withDatabase({}, async (parley, database) => {
    const ana = await signUp(parley.url);
    const room = await mustCall(ana, 'POST', '/v1/rooms', { name: 'Team', visibility: 'private' });
    const send = async () => {
      const answer = await ana.call('POST', `/v1/rooms/${String(room.id)}/messages`, {
        text: 'hi',
        clientId: randomBytes(8).toString('hex'),
      });
      return answer.status;
    };
    expect(await send()).toBe(201);
    // Connections to the old server are read-only from now on, whatever is set later.
    await admin.unsafe(`alter database ${nameOf(database)} set default_transaction_read_only = on`);
    await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${nameOf(database)}`;
    await expect.poll(send).toBe(503);
    await expect.poll(() => ana.call('GET', '/v1/users/me').then(({ status }) => status)).toBe(200);
    // New connections reach the new one.
    await admin.unsafe(`alter database ${nameOf(database)} reset default_transaction_read_only`);
    await expect.poll(send).toBe(201);
    await expect
      .poll(() => ana.call('PATCH', '/v1/users/me', { displayName: 'Ana' }).then(({ status }) => status))
      .toBe(200);
    // Jobs too: the mail of a reset leaves.
    await callApi(parley.url, 'POST', '/v1/auth/password/forgot', { email: ana.email });
    await mailTo(parley.url, ana.email, /password/i);
  });
});
