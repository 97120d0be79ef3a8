/** The log while another system refuses or is away. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { generateKeyPair, SignJWT } from 'jose';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startTcpProxy } from '../chaos/tcp-proxy.ts';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { freePort } from '../harness/ports.ts';
import { type RedisProcess, startRedisProcess } from '../harness/redis-process.ts';
import { startFleet, startSingle } from '../harness/stack.ts';
import { callApi, connect, createRoom, signUp } from '../harness/test-client.ts';
import { createDatabase } from '../harness/test-database.ts';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly system?: string;
  readonly reason?: string;
}

const linesOf = (parley: ParleyProcess) =>
  parley
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);
const about = (system: RegExp, lines: readonly Line[]) => lines.filter((line) => system.test(line.system ?? ''));
const warnings = (lines: readonly Line[]) => lines.filter(({ level }) => level === 40);
const ends = (lines: readonly Line[]) => lines.filter(({ level }) => level === 30);

/** Waits for a warning with this reason among the lines after `from`. */
async function warned(parley: ParleyProcess, from: number, system: RegExp, reason: RegExp): Promise<void> {
  await expect
    .poll(() => warnings(about(system, linesOf(parley).slice(from))).map((line) => line.reason))
    .toContainEqual(expect.stringMatching(reason));
}

/** Waits until the newest report of every system says that it is available. */
async function over(parley: ParleyProcess, from: number, system: RegExp): Promise<void> {
  await expect
    .poll(() => {
      const last = new Map(about(system, linesOf(parley).slice(from)).map((line) => [line.system, line.level]));
      return last.size > 0 && [...last.values()].every((level) => level === 30);
    })
    .toBe(true);
}

/** Makes the rate counters call Redis. */
const useCounters = (parley: ParleyProcess) => callApi(parley.url, 'GET', '/v1/auth/providers');

describe('Redis', () => {
  let redis: RedisProcess;
  let admin: Redis;
  let parley: ParleyProcess;
  let end: () => Promise<void>;

  beforeAll(async () => {
    redis = await startRedisProcess();
    admin = new Redis(redis.url);
    admin.on('error', () => {});
    await admin.call('ACL', 'SETUSER', 'parley', 'on', '>correct-horse', '~*', '&*', '+@all');
    const fleet = await startFleet({
      chats: 1,
      processings: 0,
      redisUrl: redis.url.replace('redis://', 'redis://parley:correct-horse@'),
      settings: { PARLEY_LOG_OUTAGE_REPEAT: '1s', PARLEY_REDIS_PROBE_PAUSE_MAX: '500ms' },
    });
    parley = fleet.chats[0]!;
    end = fleet.end;
  });
  afterAll(async () => {
    await end();
    admin.disconnect();
    await redis.kill();
  });

  const acl = (...rules: string[]) => admin.call('ACL', 'SETUSER', 'parley', ...rules);
  const dropLinks = () => admin.call('CLIENT', 'KILL', 'USER', 'parley');

  test.each([
    [
      'the password was changed',
      /^Redis/,
      /WRONGPASS/,
      async () => {
        await acl('resetpass', '>other');
        await dropLinks();
      },
      () => acl('>correct-horse'),
    ],
    ['publishing is not allowed', /hints/, /NOPERM.*publish/i, () => acl('-publish'), () => acl('+publish')],
    [
      'subscribing is not allowed',
      /subscribing/,
      /NOPERM.*subscribe/i,
      async () => {
        await acl('-subscribe');
        await dropLinks();
      },
      () => acl('+subscribe'),
    ],
    [
      'the channels are not allowed',
      /hints/,
      /NOPERM.*channels/i,
      () => acl('resetchannels'),
      () => acl('allchannels'),
    ],
    [
      'scripts are not allowed',
      /counting/,
      /NOPERM.*evalsha/i,
      () => acl('-evalsha', '-eval'),
      () => acl('+evalsha', '+eval'),
    ],
    ['the keys are not allowed', /counting/, /NOPERM.*keys/i, () => acl('resetkeys'), () => acl('allkeys')],
    [
      'it has no memory left',
      /counting/,
      /OOM/,
      () => admin.config('SET', 'maxmemory', '1'),
      () => admin.config('SET', 'maxmemory', '0'),
    ],
    [
      'it is a replica',
      /counting/,
      /READONLY/,
      () => admin.replicaof('127.0.0.1', '1'),
      () => admin.replicaof('NO', 'ONE'),
    ],
    [
      'it is away',
      /^Redis/,
      /ECONNREFUSED/,
      () => redis.kill(),
      async () => {
        await redis.start();
        await expect.poll(() => admin.status).toBe('ready');
        await acl('on', '>correct-horse', '~*', '&*', '+@all');
      },
    ],
  ] as const)(
    'when %s, there is a warning with the reason, it is repeated slowly, and its end is reported',
    async (_, system, reason, begin, heal) => {
      const from = linesOf(parley).length;
      await begin();
      await useCounters(parley);
      await warned(parley, from, system, reason);
      const repeated = () =>
        warnings(about(system, linesOf(parley).slice(from))).filter((line) => reason.test(line.reason ?? ''));
      await expect.poll(() => repeated().length).toBeGreaterThan(1);
      await heal();
      await over(parley, from, system);
      expect(parley.output()).not.toContain('correct-horse');
    },
  );

  test('a hung server is reported, and its return too', async () => {
    const from = linesOf(parley).length;
    redis.signal('SIGSTOP');
    await warned(parley, from, /hints/, /timed out|came back/);
    redis.signal('SIGCONT');
    await over(parley, from, /hints/);
  });
});

/** A chat instance with this Redis from its start. */
async function startWith(redisUrl: string, settings: Readonly<Record<string, string>> = {}) {
  const fleet = await startFleet({ chats: 1, processings: 0, redisUrl, settings });
  onTestFinished(fleet.end);
  return fleet.chats[0]!;
}

describe('Redis that refuses from the start', () => {
  test('a login is missing', async () => {
    const redis = await startRedisProcess('--requirepass', 'secret');
    onTestFinished(redis.kill);
    const parley = await startWith(redis.url);
    await warned(parley, 0, /hints/, /NOAUTH/);
    await warned(parley, 0, /counting/, /NOAUTH/);
    const admin = new Redis(redis.url.replace('redis://', 'redis://:secret@'));
    await admin.config('SET', 'requirepass', '');
    admin.disconnect();
    await over(parley, 0, /^Redis/);
  });

  test('its certificate is not trusted', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'parley-tls-'));
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
        '-days',
        '2',
        '-subj',
        '/CN=localhost',
      ],
      { stdio: 'ignore' },
    );
    // The TLS port takes the place of the plain one.
    const redis = await startRedisProcess(
      '--tls-cert-file',
      cert,
      '--tls-key-file',
      key,
      '--tls-auth-clients',
      'no',
      '--tls-port',
      '0',
    );
    const admin = new Redis(redis.url);
    await admin.config('SET', 'port', '0');
    await admin.config('SET', 'tls-port', String(redis.port));
    onTestFinished(async () => {
      admin.disconnect();
      await redis.kill();
      rmSync(dir, { recursive: true });
    });
    const parley = await startWith(redis.url.replace('redis:', 'rediss:'));
    await warned(parley, 0, /hints/, /self-signed certificate/);
    await warned(parley, 0, /counting/, /self-signed certificate/);
  });

  test.each([
    ['loads its data', '-LOADING Redis is loading the dataset in memory\r\n', /LOADING/],
    ['is a cluster that was taken for a single server', '-MOVED 1234 10.0.0.1:6379\r\n', /MOVED/],
    ['has too many clients', '-ERR max number of clients reached\r\n', /max number of clients/],
  ])('it %s', async (_, answer, reason) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      // One answer for each command: RESP arrays begin a line with an asterisk.
      socket.on('data', (bytes) =>
        socket.write(answer.repeat(bytes.toString('latin1').match(/^\*\d+\r$/gm)?.length ?? 0)),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const parley = await startWith(`redis://127.0.0.1:${(server.address() as { port: number }).port}`);
    await warned(parley, 0, /hints/, reason);
    await warned(parley, 0, /counting/, reason);
  });
});

test('an outage of Postgres is reported once with its reason, then at the interval of the setting, and its end once', async () => {
  const database = await createDatabase();
  const proxy = await startTcpProxy(() => [Number(new URL(database.url).port)]);
  onTestFinished(async () => {
    await proxy.stop();
    await database.drop();
  });
  const url = new URL(database.url);
  url.port = String(proxy.port);
  const parley = await startParley({
    role: 'all',
    settings: { DATABASE_URL: url.href, PARLEY_REALTIME_HEAD_CHECK: '300ms', PARLEY_LOG_OUTAGE_REPEAT: '1h' },
  });
  onTestFinished(async () => void (await parley.stop()));
  const ana = await signUp(parley.url);
  const room = await createRoom([ana]);
  const socket = await connect(parley.url, ana);
  const from = linesOf(parley).length;
  proxy.become('cut');
  await warned(parley, from, /Postgres/, /ECONN|CONNECTION|closed/i);
  // Sends, the job worker and the heartbeat fail as well, and add nothing.
  await Promise.all(Array.from({ length: 5 }, () => socket.say(room, 'while it is away')));
  proxy.become('pass');
  await over(parley, from, /Postgres/);
  await expect.poll(async () => (await socket.say(room, 'back')).type).toBe('ack');
  const lines = linesOf(parley).slice(from);
  const reasons = warnings(lines).map(({ system, reason, msg }) => `${system} ${reason ?? msg}`);
  expect(new Set(reasons).size, parley.output()).toBe(reasons.length);
  expect(ends(about(/^Postgres$/, lines))).toHaveLength(1);
});

test.each([
  ['SMTP', async () => ({ SMTP_URL: `smtp://127.0.0.1:${await freePort()}` }), /ECONNREFUSED/],
  [
    'the key server of https://issuer.example',
    async () => {
      const jwksUrl = `http://127.0.0.1:${await freePort()}/keys`;
      return { PARLEY_AUTH_ISSUERS: JSON.stringify([{ issuer: 'https://issuer.example', audience: 'a', jwksUrl }]) };
    },
    /ECONNREFUSED/,
  ],
  [
    'processing instance',
    async () => ({ PROCESSING_URL: `http://127.0.0.1:${await freePort()}`, PARLEY_ROLE: 'chat' }),
    /ECONNREFUSED|lost/,
  ],
] as const)('%s that is away is reported with the reason, and its end', async (system, settings, reason) => {
  const given = await settings();
  const parley = await startSingle({ ...given, PARLEY_SMTP_PROBE_PAUSE_MAX: '500ms' });
  onTestFinished(parley.end);
  const ana = await signUp(parley.url);
  await callApi(parley.url, 'GET', '/v1/users/me', undefined, { authorization: `Bearer ${await hostToken()}` });
  const room = await createRoom([ana]);
  await ana.call('POST', `/v1/rooms/${room}/messages`, { clientId: 'c', text: 'hello' });
  await warned(parley, 0, new RegExp(system), reason);
  const target = new URL(JSON.stringify(given).match(/(?:smtp|http):\/\/127\.0\.0\.1:\d+/)![0]);
  await listenAs(system, Number(target.port));
  await over(parley, 0, new RegExp(system));
});

/** A token that names a key of the issuer above. */
async function hostToken(): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256');
  return new SignJWT({ sub: 'ana' })
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer('https://issuer.example')
    .setAudience('a')
    .setExpirationTime('1h')
    .sign(privateKey);
}

/** The system is back, on the same port. */
async function listenAs(system: string, port: number): Promise<void> {
  if (system === 'processing instance') {
    const database = await createDatabase();
    const peer = await startParley({
      role: 'processing',
      processingPort: port,
      settings: { DATABASE_URL: database.url },
    });
    onTestFinished(async () => {
      await peer.stop();
      await database.drop();
    });
    return;
  }
  const server =
    system === 'SMTP'
      ? new SMTPServer({ authOptional: true, disabledCommands: ['STARTTLS'] })
      : createHttpServer((_request, response) => response.end('{"keys":[]}'));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
}
