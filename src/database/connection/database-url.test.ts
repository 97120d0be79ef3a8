import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseDatabaseUrl } from './database-url.ts';
import { driverOptions } from './driver-options.ts';

const dir = mkdtempSync(join(tmpdir(), 'parley-url-'));
const file = join(dir, 'ca.crt');
writeFileSync(file, 'a certificate');
afterAll(() => rmSync(dir, { recursive: true }));

const at = (query: string) => parseDatabaseUrl(`postgres://ana:secret@db.example.org/chat${query}`);

describe('the address', () => {
  test.each([
    [
      'postgres://ana:secret@db:6543/chat',
      { user: 'ana', password: 'secret', host: 'db', port: 6543, database: 'chat' },
    ],
    ['postgresql://ana@db', { user: 'ana', password: undefined, host: 'db', port: 5432, database: 'ana' }],
    ['postgres://ana:p%40ss%2F%25@db/chat', { password: 'p@ss/%', database: 'chat' }],
    ['postgres://ana:p@ss@db/chat', { password: 'p@ss', host: 'db' }],
    ['postgres://ana:s3+cret@db/chat', { password: 's3+cret' }],
    ['postgres://ana@[::1]:5433/chat', { host: '::1', port: 5433 }],
    [
      'postgres:///chat?host=/var/run/postgresql&user=ana',
      { host: '/var/run/postgresql', user: 'ana', database: 'chat' },
    ],
    ['postgres://%2Fvar%2Frun/chat', { host: '/var/run', database: 'chat' }],
    [
      'postgres://db/chat?user=ben&password=x%3Dy&port=7&dbname=other',
      { user: 'ben', password: 'x=y', port: 7, database: 'other' },
    ],
    ['postgres://db.example.org/chat?hostaddr=10.0.0.5', { host: '10.0.0.5', database: 'chat' }],
    ['postgres://', { host: 'localhost', user: userInfo().username }],
  ])('%s', (url, expected) => {
    expect(parseDatabaseUrl(url)).toMatchObject(expected);
  });
});

describe('sslmode', () => {
  test.each([
    ['', { mode: 'prefer', options: { rejectUnauthorized: false } }],
    ['?sslmode=disable', { mode: 'off' }],
    ['?sslmode=allow', { mode: 'prefer', options: { rejectUnauthorized: false } }],
    ['?sslmode=prefer', { mode: 'prefer', options: { rejectUnauthorized: false } }],
    ['?sslmode=require', { mode: 'on', options: { rejectUnauthorized: false } }],
    ['?ssl=true', { mode: 'on', options: { rejectUnauthorized: false } }],
    ['?channel_binding=require', { mode: 'on' }],
    ['?sslmode=verify-full', { mode: 'on', options: { rejectUnauthorized: true, servername: 'db.example.org' } }],
    ['?sslmode=verify-full&sslrootcert=system', { mode: 'on', options: { rejectUnauthorized: true } }],
    ['?sslrootcert=system', { mode: 'on', options: { rejectUnauthorized: true } }],
    [
      `?sslmode=verify-full&sslrootcert=${file}`,
      { mode: 'on', options: { rejectUnauthorized: true, ca: Buffer.from('a certificate') } },
    ],
    // libpq: with a root certificate `require` verifies as `verify-ca` does.
    [`?sslmode=require&sslrootcert=${file}`, { mode: 'on', options: { rejectUnauthorized: true } }],
    [`?sslmode=prefer&sslrootcert=${file}`, { mode: 'prefer', options: { rejectUnauthorized: false } }],
    ['?sslmode=require&sslnegotiation=direct', { mode: 'on', direct: true }],
    ['?sslmode=require&ssl_min_protocol_version=TLSv1.3', { options: { minVersion: 'TLSv1.3' } }],
    [
      `?sslmode=require&sslcert=${file}&sslkey=${file}&sslpassword=x`,
      { options: { cert: Buffer.from('a certificate'), key: Buffer.from('a certificate'), passphrase: 'x' } },
    ],
    ['?sslmode=verify-full&hostaddr=10.0.0.5', { options: { servername: 'db.example.org' } }],
  ])('%s', (query, tls) => {
    expect(at(query).tls).toMatchObject(tls);
  });

  test('verify-ca accepts any host of a certificate that it trusts, verify-full only its own', () => {
    expect(at(`?sslmode=verify-ca&sslrootcert=${file}`).tls.options.checkServerIdentity).toBeTypeOf('function');
    expect(at(`?sslmode=require&sslrootcert=${file}`).tls.options.checkServerIdentity).toBeTypeOf('function');
    expect(at('?sslmode=verify-full').tls.options.checkServerIdentity).toBeUndefined();
  });

  test('a Unix socket is never encrypted, whatever sslmode says', () => {
    expect(parseDatabaseUrl('postgres:///chat?host=/var/run&sslmode=require').tls.mode).toBe('off');
  });
});

describe('other parameters', () => {
  test.each([
    ['?application_name=shop', { applicationName: 'shop' }],
    ['?connect_timeout=7', { connectTimeoutMs: 7000 }],
    ['?connect_timeout=0', { connectTimeoutMs: undefined }],
    ['?keepalives=0', { keepAliveSeconds: undefined }],
    ['?keepalives_idle=30', { keepAliveSeconds: 30 }],
    ['', { keepAliveSeconds: 60, isPooled: false, options: undefined }],
    ['?options=-c%20geqo%3Doff', { options: '-c geqo=off' }],
    ['?schema=public', { options: undefined }],
    ['?schema=my%20app', { options: '-c search_path="my\\ app"' }],
    ['?pgbouncer=true', { isPooled: true }],
  ])('%s', (query, expected) => {
    expect(at(query)).toMatchObject({ ...expected, notes: [] });
  });

  test.each([
    'channel_binding=prefer',
    'gssencmode=prefer',
    'gssencmode=disable',
    'target_session_attrs=read-write',
    'sslcompression=0',
  ])('%s changes nothing and needs no note', (parameter) => {
    expect(at(`?${parameter}`)).toEqual(at(''));
  });

  test.each([
    'keepalives_interval=5',
    'keepalives_count=3',
    'tcp_user_timeout=1000',
    'krbsrvname=x',
    'connection_limit=5',
    'service=prod',
    'channel_binding=require',
  ])('%s is ignored with a note that names it', (parameter) => {
    const [note, ...more] = at(`?${parameter}`).notes;
    expect(note).toContain(parameter.split('=')[0]);
    expect(more).toEqual([]);
  });

  test('no parameter reaches the server as one of its own settings but application_name and options', () => {
    const target = at('?keepalives=1&channel_binding=prefer&pgbouncer=true&foo=bar&options=-c%20geqo%3Doff');
    const { connection } = driverOptions(target, { name: 'lane', connectTimeout: 2000 });
    expect(connection).toEqual({ application_name: 'parley-lane', options: '-c geqo=off' });
  });
});

describe('what cannot be met', () => {
  test.each([
    ['?sslmode=sometimes', 'sslmode'],
    ['?sslmode=verify-full&sslrootcert=/nowhere/ca.crt', 'sslrootcert'],
    ['?sslmode=require&sslcert=/nowhere/client.crt', 'sslcert'],
    [`?sslmode=require&sslcert=${file}`, 'sslkey'],
    ['?sslmode=require&sslrootcert=system', 'sslrootcert'],
    ['?sslnegotiation=direct', 'sslnegotiation'],
    ['?gssencmode=require', 'gssencmode'],
    ['?target_session_attrs=standby', 'target_session_attrs'],
    ['?target_session_attrs=read-only', 'target_session_attrs'],
    ['?connect_timeout=soon', 'connect_timeout'],
    ['?port=99999', 'port'],
    ['?host=one,two', 'host'],
  ])('%s is an error of one line that names the parameter and not the password', (query, name) => {
    let message = '';
    try {
      at(query);
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message).toMatch(new RegExp(`^[^\\n]*${name}[^\\n]*$`));
    expect(message).not.toContain('secret');
  });

  test.each([
    'postgres://ana:secret@one,two/chat',
    'postgres://ana:secret@one:1,two:2/chat',
    'mysql://ana:secret@db/chat',
    'postgres://ana:secret%@db/chat',
  ])('%s is an error without its password', (url) => {
    expect(() => parseDatabaseUrl(url)).toThrow(/database URL/);
    expect(() => parseDatabaseUrl(url)).not.toThrow(/secret/);
  });
});
