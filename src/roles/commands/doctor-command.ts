/**
 * `node src/main.ts doctor`: checks everything that the configured role needs to start, without starting it, and prints a
 * line for each check.
 */
import { access, constants, mkdir, readFile, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Redis } from 'ioredis';
import { type Config, ConfigError, type Loaded } from '../../config/load.ts';
import { connectionLimits, connectSql, type Sql } from '../../database/connect.ts';
import { parseDatabaseUrl } from '../../database/connection/database-url.ts';
import { checkPooler } from '../../database/connection/pooler-check.ts';
import { findBinaries } from '../../database/embedded/embedded-postgres.ts';
import { isLoopbackHost } from '../../http/caller/local-caller.ts';
import { mailHostOf } from '../../jobs/smtp/mail-host.ts';
import { openSmtpConnection, parseSmtpUrl } from '../../jobs/smtp/smtp-conversation.ts';
import { findTaken } from '../lifecycle/listen-addresses.ts';
import { neededNode, supportsNode } from '../lifecycle/node-version.ts';

type Level = 'ok' | 'warn' | 'fail';

interface Finding {
  readonly level: Level;
  readonly about: string;
  readonly words: string;
}

type Check = () => Promise<readonly Finding[] | Finding>;

/** Longest wait for another system. */
const waitMs = 5000;
/** Older servers are no longer maintained and not tested. */
const postgresMin = 14;
/** With clocks further apart than this, tokens look expired or not valid yet. */
const clockLeewayMs = 5000;
const diskMinBytes = 1024 ** 3;

const finding = (level: Level, about: string, words: string): Finding => ({ level, about, words });

/** @param load throws ConfigError for an invalid configuration, which is a finding too */
export async function runDoctor(words: readonly string[], load: () => Loaded): Promise<void> {
  if (words.length > 0) throw new ConfigError('usage: node src/main.ts doctor [--key value …]');
  let failed = false;
  const print = ({ level, about, words }: Finding) => {
    failed ||= level === 'fail';
    process.stdout.write(`${level.padEnd(4)}  ${about.padEnd(11)}  ${words}\n`);
  };
  print(checkNode());
  try {
    const loaded = load();
    const { size } = loaded.origins;
    print(
      finding('ok', 'settings', `role ${loaded.config.role}, ${size} ${size === 1 ? 'setting' : 'settings'} given`),
    );
    for (const check of checksOf(loaded)) for (const each of [await check()].flat()) print(each);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    print(finding('fail', 'settings', error.message));
  }
  if (failed) process.exitCode = 1;
}

function checksOf({ config, origins }: Loaded): readonly Check[] {
  return [
    () => checkPorts(config, origins),
    () => (config.database.url === undefined ? checkEmbedded(config) : checkDatabase(config, config.database.url)),
    ...(config.role === 'processing' ? [] : [() => checkRedis(config)]),
    ...(config.role === 'chat' ? [] : [() => checkSmtp(config)]),
    () => checkPublicUrl(config),
  ];
}

/** The message of an error, in one line. */
function because(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return (message || code || String(error)).split('\n')[0]!;
}

function checkNode(): Finding {
  const { version } = process;
  return supportsNode(version)
    ? finding('ok', 'node', `${version} on ${process.platform}-${process.arch}`)
    : finding('fail', 'node', `${version} is too old: ${neededNode} or newer is needed`);
}

async function checkPorts(config: Config, origins: Loaded['origins']): Promise<readonly Finding[]> {
  const found = await findTaken(config, origins);
  const findings = found.map(async ({ path, host, port, problem }) => {
    if (!problem) return finding('ok', 'ports', `"${path}" ${port} is free on ${host}`);
    const isParley = await answersAsParley(host, port);
    if (isParley) return finding('ok', 'ports', `"${path}" ${port}: a Parley is running there`);
    const isMovable = path === 'processing.port' && config.role === 'all' && !origins.has(path);
    return isMovable
      ? finding('ok', 'ports', `"${path}" ${port} is taken; a start takes a free one instead`)
      : finding('fail', 'ports', problem.message);
  });
  return Promise.all(findings);
}

async function answersAsParley(host: string, port: number): Promise<boolean> {
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  try {
    const answer = await fetch(`http://${name}:${port}/health/live`, { signal: AbortSignal.timeout(waitMs) });
    return ((await answer.json()) as { status?: string }).status === 'live';
  } catch {
    return false;
  }
}

async function checkDatabase(config: Config, url: string): Promise<readonly Finding[]> {
  let place = 'DATABASE_URL';
  let sql: Sql | undefined;
  try {
    const { host, port, database } = parseDatabaseUrl(url);
    place = `${host}:${port}/${database}`;
    sql = connectSql({ ...connectionLimits(config), url, poolSize: 1, name: 'doctor' });
    const findings = await askDatabase(sql, place);
    await checkPooler(url, config.database.pooling);
    return findings;
  } catch (error) {
    return [finding('fail', 'database', `${place}: ${because(error)}`)];
  } finally {
    await sql?.end({ timeout: 1 });
  }
}

async function askDatabase(sql: Sql, place: string): Promise<readonly Finding[]> {
  const beganMs = Date.now();
  const [row] = await sql<{ version: string; number: number; standby: boolean; migrated: boolean; atMs: number }[]>`
    select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
      pg_is_in_recovery() as standby, to_regclass('drizzle.__drizzle_migrations') is not null as migrated,
      (extract(epoch from clock_timestamp()) * 1000)::float8 as "atMs"`;
  const { version, number, standby, migrated, atMs } = row!;
  const words = `PostgreSQL ${version} at ${place}${migrated ? '' : ', empty: the first start makes the tables'}`;
  const database = standby
    ? finding('fail', 'database', `${words}, a standby that takes no writes`)
    : number < postgresMin * 10_000
      ? finding('fail', 'database', `${words}: ${postgresMin} or newer is needed`)
      : finding('ok', 'database', words);
  // The server read its clock at some moment between the two readings of ours.
  const aheadMs = Math.max(0, atMs - Date.now(), beganMs - atMs);
  const clock =
    aheadMs > clockLeewayMs
      ? finding('fail', 'clock', `${(aheadMs / 1000).toFixed(1)} s away from the database's: set one of them right`)
      : finding('ok', 'clock', 'agrees with the database');
  return [database, clock];
}

async function checkEmbedded({ database }: Config): Promise<readonly Finding[]> {
  const dir = resolve(database.embedded.dir);
  const binaries = await findBinaries().then(
    () => finding('ok', 'database', `embedded PostgreSQL for ${process.platform}-${process.arch} is installed`),
    (error: unknown) => finding('fail', 'database', because(error)),
  );
  const clock = finding('ok', 'clock', "an embedded database has this machine's");
  return [binaries, await checkFolder(dir), clock];
}

/** The data folder, or its nearest parent that exists. */
async function checkFolder(dir: string): Promise<Finding> {
  const existing = await nearestExisting(dir);
  try {
    if (existing === dir) await access(dir, constants.W_OK | constants.X_OK);
    else await mkdir(dir, { recursive: true });
    const { bavail, bsize } = await statfs(dir);
    const free = `${((Number(bavail) * Number(bsize)) / 1024 ** 3).toFixed(1)} GB free`;
    const isRunning = await readFile(join(dir, 'postgres', 'parley.lock'), 'utf8').then(
      () => ', in use by a Parley',
      () => '',
    );
    const level = Number(bavail) * Number(bsize) < diskMinBytes ? 'warn' : 'ok';
    return finding(level, 'data folder', `${dir} is writable, ${free}${isRunning}`);
  } catch (error) {
    return finding('fail', 'data folder', `${dir}: ${because(error)}; set "database.embedded.dir" to another folder`);
  }
}

async function nearestExisting(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    const found = await stat(at).then(
      () => true,
      () => false,
    );
    if (found || at === dirname(at)) return at;
  }
}

async function checkRedis({ redis: { url } }: Config): Promise<Finding> {
  if (url === undefined) return finding('ok', 'redis', 'not configured: one chat instance alone');
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: waitMs,
    commandTimeout: waitMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // The error is also thrown, but without its reason.
  let reason: unknown;
  redis.on('error', (error) => {
    reason = error;
  });
  try {
    await redis.connect();
    await redis.ping();
    const version = /^redis_version:(\S+)/m.exec(await redis.info('server'))?.[1] ?? 'of unknown version';
    return finding('ok', 'redis', `Redis ${version} at ${new URL(url).host}`);
  } catch (error) {
    return finding('fail', 'redis', `${new URL(url).host}: ${because(reason ?? error)}`);
  } finally {
    redis.disconnect();
  }
}

async function checkSmtp({ smtp, environment, notifications, publicUrl, http }: Config): Promise<Finding> {
  if (smtp.url === undefined)
    return environment === 'production'
      ? finding('warn', 'smtp', 'no mail server is configured (SMTP_URL): no mail is sent')
      : finding('ok', 'smtp', 'no mail server is configured: mails are kept at /dev/mailbox');
  const clientName = smtp.clientName ?? mailHostOf(publicUrl ?? `http://localhost:${http.port}`);
  const server = parseSmtpUrl(smtp.url, { stageTimeoutMs: waitMs, clientName });
  try {
    const session = await openSmtpConnection(server, AbortSignal.timeout(waitMs));
    session.close();
    const who = server.credentials ? ' and takes the login' : '';
    return finding(
      'ok',
      'smtp',
      `${server.host}:${server.port} answers${who}; mails come from ${notifications.email.from}`,
    );
  } catch (error) {
    return finding('fail', 'smtp', `${server.host}:${server.port}: ${because(error)}`);
  }
}

async function checkPublicUrl({ publicUrl, http, role, environment }: Config): Promise<Finding> {
  const url = publicUrl ?? `http://localhost:${http.port}`;
  const { hostname, protocol } = new URL(url);
  if (isLoopbackHost(hostname))
    return environment === 'production'
      ? finding('warn', 'public URL', `${url} leads nobody here but this machine: set PUBLIC_URL`)
      : finding('ok', 'public URL', `${url}, for this machine alone`);
  const secure = protocol === 'https:' ? '' : '; without https, logins can be read on the way';
  try {
    const answer = await fetch(new URL('/health/live', url), { signal: AbortSignal.timeout(waitMs) });
    const { status } = (await answer.json()) as { status?: string };
    if (status !== 'live') return finding('fail', 'public URL', `${url} answers, but not as Parley`);
    return finding(secure ? 'warn' : 'ok', 'public URL', `${url} leads to a Parley${secure}`);
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    // Before the first start, or from a machine inside, nothing need answer.
    const level = role === 'processing' ? 'ok' : 'warn';
    return finding(level, 'public URL', `${url} does not answer from here: ${because(cause ?? error)}${secure}`);
  }
}
