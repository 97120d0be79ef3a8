/** A real PgBouncer in front of a Postgres. */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endWithUs } from './ends-with-us.ts';
import { freePort } from './ports.ts';

export interface PgbouncerProcess {
  /** The same database, through the pooler. */
  readonly url: string;
  readonly port: number;
  readonly stop: () => Promise<void>;
}

export interface PgbouncerOptions {
  /** Of the database behind it. */
  readonly url: string;
  readonly poolMode: 'session' | 'transaction';
  /** Server connections per database and user. */
  readonly poolSize: number;
  readonly port?: number;
}

/** It refuses to run as root. */
const nobody = 65_534;

export async function startPgbouncer(options: PgbouncerOptions): Promise<PgbouncerProcess> {
  const dir = await mkdtemp(join(tmpdir(), 'parley-pgbouncer-'));
  const port = options.port ?? (await freePort());
  const server = new URL(options.url);
  await writeFile(join(dir, 'users.txt'), `"${server.username}" "${decodeURIComponent(server.password)}"\n`);
  await writeFile(join(dir, 'pgbouncer.ini'), configuration(options, server, dir, port));
  await chmod(dir, 0o755);
  const asNobody = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  const child = spawn('pgbouncer', [join(dir, 'pgbouncer.ini')], {
    ...asNobody,
    env: { PATH: `${process.env.PATH}:/usr/sbin` },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  endWithUs(child);
  await new Promise<void>((resolve, reject) => {
    let written = '';
    child.once('error', () =>
      reject(
        new Error('pgbouncer is missing: `npm test` installs it on Debian as root, otherwise install it yourself'),
      ),
    );
    child.once('exit', (code) => reject(new Error(`pgbouncer ended with ${code}:\n${written}`)));
    child.stderr.on('data', (chunk: Buffer) => {
      written = (written + chunk.toString()).slice(-20_000);
      if (written.includes('process up')) resolve();
    });
  });
  server.port = String(port);
  return {
    url: server.href,
    port,
    stop: async () => {
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await ended;
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function configuration({ poolMode, poolSize }: PgbouncerOptions, server: URL, dir: string, port: number): string {
  return `[databases]
* = host=${server.hostname} port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(dir, 'users.txt')}
pool_mode = ${poolMode}
default_pool_size = ${poolSize}
max_client_conn = 500
server_login_retry = 1
; What its documentation advises for drivers that send more than it knows; their values get lost.
ignore_startup_parameters = extra_float_digits, options, statement_timeout, idle_in_transaction_session_timeout, lock_timeout
`;
}
