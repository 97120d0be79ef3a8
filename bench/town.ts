/** Writes users, rooms and tokens directly into the database, so that a benchmark starts with the measurement. */
import { createHmac, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import postgres from 'postgres';
import { startEmbeddedPostgres } from '../src/database/embedded/embedded-postgres.ts';
import { migrate } from '../src/database/migrate.ts';
import { pin, trackedServer } from './measure.ts';

export const jwtSecret = 'a secret for benchmarks, of more than 32 bytes';

export interface Person {
  readonly id: string;
  readonly token: string;
}

export interface Town {
  readonly url: string;
  /** Process id of its Postgres. */
  readonly pid: number;
  readonly sql: postgres.Sql;
  readonly addPeople: (count: number) => Promise<Person[]>;
  readonly addRoom: (members: readonly Person[]) => Promise<string>;
  readonly addRooms: (rooms: readonly (readonly Person[])[]) => Promise<string[]>;
  readonly end: () => Promise<void>;
}

/** WAL segments of 16 MB: more than a measurement writes. */
const walSegments = 40;

/**
 * Creates WAL segments, as in a database that has been in use for a while. A new database creates a file for every 16 MB, and all
 * transactions wait for that (bench/store.ts: tens of milliseconds each time).
 */
async function recycleWalSegments(sql: postgres.Sql): Promise<void> {
  await sql`alter system set min_wal_size = '1GB'`;
  await sql`select pg_reload_conf()`;
  for (let segment = 0; segment < walSegments; segment++) {
    await sql`select pg_logical_emit_message(false, 'bench', 'a segment is switched only if something is in it')`;
    await sql`select pg_switch_wal()`;
  }
  // Recycles the segments.
  await sql`checkpoint`;
}

/**
 * A real Postgres with commits on disk.
 * @param core the core it runs on; any if absent
 */
export async function startTown(core?: string): Promise<Town> {
  const dir = mkdtempSync(join(tmpdir(), 'parley-bench-'));
  const server = await startEmbeddedPostgres({ dir, logger: pino({ level: 'silent' }) });
  const pid = Number(readFileSync(join(dir, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
  const ended = trackedServer(pid);
  if (core !== undefined) pin(pid, core);
  await migrate(server.url);
  const sql = postgres(server.url, { max: 4, onnotice: () => {} });
  await recycleWalSegments(sql);

  async function addPeople(count: number): Promise<Person[]> {
    const ids = Array.from({ length: count }, () => randomUUID());
    const sessions = ids.map(() => randomUUID());
    await sql`insert into users (id, username, display_name) select i, 'u' || replace(i::text, '-', ''), 'Person' from unnest(${ids}::uuid[]) i`;
    await sql`insert into sessions (id, user_id, expires_at) select s, i, now() + interval '1 day' from unnest(${sessions}::uuid[], ${ids}::uuid[]) as x(s, i)`;
    return ids.map((id, at) => ({ id, token: signToken(id, sessions[at]!) }));
  }

  async function addRooms(rooms: readonly (readonly Person[])[]): Promise<string[]> {
    const ids = rooms.map(() => randomUUID());
    const owners = rooms.map(([owner]) => owner!.id);
    await sql`insert into rooms (id, kind, name, visibility, created_by) select i, 'room', 'Bench', 'private', o from unnest(${ids}::uuid[], ${owners}::uuid[]) as x(i, o)`;
    await sql`insert into events (room_id, seq, type, actor_id, data) select i, 1, 'member.joined', o, json_build_object('userId', o, 'role', 'owner', 'by', o) from unnest(${ids}::uuid[], ${owners}::uuid[]) as x(i, o)`;
    const roomOf = rooms.flatMap((members, at) => members.map(() => ids[at]!));
    const userOf = rooms.flatMap((members) => members.map(({ id }) => id));
    const roleOf = rooms.flatMap((members) => members.map((_, at) => (at === 0 ? 'owner' : 'member')));
    await sql`insert into members (room_id, user_id, role, joined_seq) select r, u, o, 1 from unnest(${roomOf}::uuid[], ${userOf}::uuid[], ${roleOf}::text[]) as x(r, u, o)`;
    return ids;
  }

  return {
    url: server.url,
    pid,
    sql,
    addPeople,
    addRooms,
    addRoom: async (members) => (await addRooms([members]))[0]!,
    end: async () => {
      await sql.end();
      await server.stop();
      ended();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function signToken(userId: string, sessionId: string): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const body = `${encode({ alg: 'HS256', typ: 'at+jwt' })}.${encode({ sub: userId, sid: sessionId, role: 'user', kind: 'user', iss: 'parley', aud: 'parley', iat: now, exp: now + 86_400 })}`;
  return `${body}.${createHmac('sha256', jwtSecret).update(body).digest('base64url')}`;
}
