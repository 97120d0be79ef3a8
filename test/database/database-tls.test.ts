/** A Postgres with TLS and a certificate of a private authority: both drivers read the URL as libpq does. */
import { execFile } from 'node:child_process';
import { appendFile, chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connectSql } from '../../src/database/connect.ts';
import { PgPool } from '../../src/database/connection/pg-pool.ts';
import { mailTo } from '../harness/mailbox.ts';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { startParley } from '../harness/parley-process.ts';
import { type PostgresProcess, startPostgresProcess } from '../harness/postgres-process.ts';
import { connect, createRoom, mustCall, signUp } from '../harness/test-client.ts';

const run = promisify(execFile);
const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const limitMs = 180_000;

let server: PostgresProcess;
let ca: string;
let otherCa: string;
let client: { cert: string; key: string };
let admin: postgres.Sql;

/** A private authority in the server's folder. */
async function makeAuthority(name: string): Promise<string> {
  const path = join(server.data, name);
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    `${path}.key`,
    '-out',
    `${path}.crt`,
  ]);
  return `${path}.crt`;
}

/** @param subject the common name, which is the host name that the certificate is valid for */
async function issue(name: string, subject: string): Promise<{ cert: string; key: string }> {
  const path = join(server.data, name);
  const authority = ca.replace(/\.crt$/, '');
  await run('openssl', [
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    `/CN=${subject}`,
    '-keyout',
    `${path}.key`,
    '-out',
    `${path}.csr`,
  ]);
  await writeFile(`${path}.ext`, `subjectAltName=DNS:${subject}\n`);
  await run('openssl', [
    'x509',
    '-req',
    '-days',
    '2',
    '-in',
    `${path}.csr`,
    '-CA',
    `${authority}.crt`,
    '-CAkey',
    `${authority}.key`,
    '-CAcreateserial',
    '-extfile',
    `${path}.ext`,
    '-out',
    `${path}.crt`,
  ]);
  await chmod(`${path}.key`, 0o600);
  return { cert: `${path}.crt`, key: `${path}.key` };
}

beforeAll(async () => {
  server = await startPostgresProcess();
  [ca, otherCa] = [await makeAuthority('authority'), await makeAuthority('other')];
  const own = await issue('server', 'localhost');
  client = await issue('client', 'parley');
  await server.stop();
  await appendFile(
    join(server.data, 'postgresql.conf'),
    `\nssl = on\nssl_cert_file = '${own.cert}'\nssl_key_file = '${own.key}'\nssl_ca_file = '${ca}'\n`,
  );
  await server.start();
  admin = postgres(server.url, { max: 1, onnotice: () => {} });
});
afterAll(async () => {
  await admin.end();
  await server.end();
});

/** The authentication rules from now on. */
async function letIn(...lines: readonly string[]): Promise<void> {
  await writeFile(join(server.data, 'pg_hba.conf'), `${lines.join('\n')}\n`);
  await admin`select pg_reload_conf()`;
  const rules = () => admin`select 1 from pg_hba_file_rules where error is null`;
  await expect.poll(async () => (await rules()).length).toBe(lines.length);
}
const everybody = ['host all all 127.0.0.1/32 scram-sha-256'];
const encrypted = ['hostssl all all 127.0.0.1/32 scram-sha-256'];

const isEncrypted = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';

/** Whether each driver's connection is encrypted, or the reason why there is none. */
async function bothDrivers(query: string): Promise<{ js: unknown; pg: unknown }> {
  const url = `${server.url}?${query}`;
  const limits = { url, poolSize: 1, connectTimeout: 10_000, statementTimeout: 10_000, name: 'test' };
  const attempt = async (ask: () => Promise<unknown>) => {
    try {
      return await ask();
    } catch (error) {
      return `${(error as { code?: string }).code} ${(error as Error).message}`;
    }
  };
  const js = await attempt(async () => {
    const sql = connectSql({ ...limits, acquireTimeout: 10_000 });
    try {
      return (await sql.unsafe(isEncrypted))[0]!.ssl;
    } finally {
      await sql.end({ timeout: 1 });
    }
  });
  const pg = await attempt(async () => {
    const pool = new PgPool({ ...limits, pooling: 'session' }, () => {});
    try {
      return (await pool.query<{ ssl: boolean }>(isEncrypted)).rows[0]!.ssl;
    } finally {
      await pool.end();
    }
  });
  return { js, pg };
}

describe('a server with a certificate of a private authority', () => {
  test.each([
    ['sslmode=disable', false],
    ['sslmode=prefer', true],
    ['', true],
    ['sslmode=require', true],
    ['sslmode=require&sslrootcert=CA', true],
    ['sslmode=verify-ca&sslrootcert=CA', true],
    ['sslmode=verify-full&sslrootcert=CA&host=localhost&hostaddr=127.0.0.1', true],
    ['sslmode=require&sslnegotiation=direct', true],
  ])('%s connects both drivers: encrypted %s', async (query, expected) => {
    expect(await bothDrivers(query.replace('CA', ca))).toEqual({ js: expected, pg: expected });
  });

  test.each([
    ['an authority that it does not know', 'sslmode=verify-full'],
    ['another authority', 'sslmode=verify-ca&sslrootcert=OTHER'],
    ['another authority, as require verifies with a root certificate', 'sslmode=require&sslrootcert=OTHER'],
    ['another host name', 'sslmode=verify-full&sslrootcert=CA'],
  ])('neither driver connects because of %s', async (_why, query) => {
    const { js, pg } = await bothDrivers(query.replace('CA', ca).replace('OTHER', otherCa));
    for (const outcome of [js, pg]) expect(outcome).toMatch(/certificate|altnames|self-signed/i);
  });
});

test('a server that requires TLS accepts prefer and allow, and refuses disable', async () => {
  await letIn(...encrypted);
  for (const mode of ['prefer', 'allow']) expect(await bothDrivers(`sslmode=${mode}`)).toEqual({ js: true, pg: true });
  const { js, pg } = await bothDrivers('sslmode=disable');
  for (const outcome of [js, pg]) expect(outcome).toMatch(/no encryption/);
  await letIn(...everybody);
});

test('the client sends its certificate if the server asks for one', async () => {
  await letIn('hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca');
  const shown = `sslmode=require&sslcert=${client.cert}&sslkey=${client.key}`;
  expect(await bothDrivers(shown)).toEqual({ js: true, pg: true });
  const { js, pg } = await bothDrivers('sslmode=require');
  for (const outcome of [js, pg]) expect(outcome).toMatch(/certificate/);
  await letIn(...everybody);
});

test(
  'Parley starts, stores and mails with parameters that libpq knows, and says which of them it ignores',
  async () => {
    const query =
      'sslmode=require&channel_binding=prefer&gssencmode=prefer&keepalives=1&keepalives_interval=5&schema=public&application_name=shop';
    const parley = await startParley({
      role: 'all',
      settings: { DATABASE_URL: `${server.url}?${query}`, PARLEY_MODERATION_TIMEOUT: '10s' },
    });
    onTestFinished(() => parley.kill());
    const ana = await signUp(parley.url);
    const socket = await connect(parley.url, ana);
    const room = await createRoom([ana]);
    expect((await socket.say(room, 'stored')).type).toBe('ack');
    await mustCall(ana, 'POST', '/v1/auth/password/forgot', { email: ana.email });
    await mailTo(parley.url, ana.email, /password/i);
    const sessions =
      await admin`select distinct application_name, ssl from pg_stat_activity join pg_stat_ssl using (pid)
      where application_name like 'shop-%'`;
    expect(sessions.map((row) => row.application_name)).toEqual(expect.arrayContaining(['shop-lane', 'shop-worker']));
    expect(sessions.every((row) => row.ssl === true)).toBe(true);
    expect(parley.output().match(/in the database URL has no meaning/g)).toHaveLength(1);
    expect(parley.output()).toContain('keepalives_interval');
  },
  limitMs,
);

test('a start with an untrusted certificate ends with one clear line', async () => {
  const started = run(process.execPath, [entry, '--role', 'all'], {
    env: {
      ...nodeEnvironment,
      DATABASE_URL: `${server.url}?sslmode=verify-full`,
      HOST: '127.0.0.1',
      PORT: '0',
      PARLEY_PROCESSING_PORT: '0',
    },
  });
  await expect(started).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^parley: [^\n]*certificate[^\n]*\n$/),
  });
});

test('a server without TLS accepts prefer and fails require', async () => {
  const config = join(server.data, 'postgresql.conf');
  await writeFile(config, (await readFile(config, 'utf8')).replace(/^ssl = on$/m, 'ssl = off'));
  await admin`select pg_reload_conf()`;
  await expect.poll(async () => (await admin`show ssl`)[0]!.ssl).toBe('off');
  expect(await bothDrivers('sslmode=prefer')).toEqual({ js: false, pg: false });
  const { js, pg } = await bothDrivers('sslmode=require');
  for (const outcome of [js, pg]) expect(outcome).toMatch(/not support (TLS|SSL)/);
});
