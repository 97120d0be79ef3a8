/** People, rooms and messages put straight into Postgres, as old as a test wants them, and offices that mail them. */
import { createHash, randomBytes } from 'node:crypto';
import pino from 'pino';
import postgres from 'postgres';
import { Registry } from 'prom-client';
import { v7 as uuidv7 } from 'uuid';
import { loadConfig } from '../../src/config/load.ts';
import { connectDatabase, type Database, type Sql } from '../../src/database/connect.ts';
import { oneTimeTokens } from '../../src/database/tables/credential-tables.ts';
import type { JobRunnerSettings } from '../../src/jobs/job-runner.ts';
import type { IssueToken } from '../../src/jobs/mail/account-mail.ts';
import { createMailWiring, type MailWiring } from '../../src/jobs/mail-wiring.ts';
import { createJobMetrics } from '../../src/jobs/runner/job-metrics.ts';
import { createOutages } from '../../src/logger/outages.ts';
import { createDatabase } from '../harness/test-database.ts';

export interface MailRow {
  readonly id: string;
  readonly user_id: string;
  readonly state: string;
  readonly attempts: number;
  readonly due_in_ms: number;
  readonly handed: boolean;
}

export interface Town {
  readonly url: string;
  readonly db: Database;
  readonly sql: Sql;
  /** A person with a verified address `<name>@example.org`. */
  readonly person: (name: string) => Promise<string>;
  /** A room of these people, who joined in this order. */
  readonly room: (name: string, userIds: readonly string[], kind?: 'room' | 'dm') => Promise<string>;
  /** A message, `agoMs` old. @returns its seq */
  readonly say: (
    roomId: string,
    userId: string,
    text: string,
    message?: { agoMs?: number; mentions?: string[]; threadId?: string; alsoInRoom?: boolean },
  ) => Promise<number>;
  readonly read: (roomId: string, userId: string, seq: number) => Promise<void>;
  readonly mails: (userId?: string) => Promise<MailRow[]>;
  /** The jobs that wait, without their keys' ids. */
  readonly jobs: () => Promise<{ task: string; payload: { mailId?: string; roomId?: string }; in_ms: number }[]>;
  readonly close: () => Promise<void>;
}

export async function createTown(): Promise<Town> {
  const database = await createDatabase();
  const connection = { url: database.url, poolSize: 4, statementTimeout: 10_000, connectTimeout: 5000, name: 'test' };
  const { db, close: closeDatabase } = connectDatabase(connection);
  const sql = postgres(database.url, { max: 4, onnotice: () => {} }) as unknown as Sql;
  let names = 0;

  async function append(
    roomId: string,
    type: string,
    userId: string,
    columns: { text?: string; agoMs?: number; mentions?: string[]; threadId?: string; alsoInRoom?: boolean },
  ): Promise<number> {
    const [row] = await sql<{ seq: number }[]>`
      insert into events (room_id, seq, type, at, actor_id, message_id, text, html, mentions, thread_id, also_in_room)
      select ${roomId}, coalesce(max(seq), 0) + 1, ${type}, clock_timestamp() - ${columns.agoMs ?? 0} * interval '1 millisecond', ${userId},
        ${type === 'message.created' ? uuidv7() : null}, ${columns.text ?? null}, '', ${columns.mentions ?? []}::uuid[],
        ${columns.threadId ?? null}::uuid, ${columns.alsoInRoom ?? null}::boolean
      from events where room_id = ${roomId} returning seq::int`;
    return row!.seq;
  }

  return {
    url: database.url,
    db,
    sql,
    person: async (name) => {
      const id = uuidv7();
      const unique = `${name}${++names}`;
      await sql`insert into users (id, username, display_name, email, email_verified_at)
        values (${id}, ${unique}, ${name}, ${`${unique}@example.org`}, now() - interval '1 day')`;
      return id;
    },
    room: async (name, userIds, kind = 'room') => {
      const id = uuidv7();
      const dmKey = kind === 'dm' ? createHash('sha256').update(id).digest() : null;
      await sql`insert into rooms (id, kind, name, visibility, dm_key, created_by)
        values (${id}, ${kind}, ${kind === 'dm' ? '' : name}, 'private', ${dmKey}, ${userIds[0]!})`;
      for (const userId of userIds) {
        const seq = await append(id, 'member.joined', userId, { agoMs: 86_400_000 });
        await sql`insert into members (room_id, user_id, role, joined_seq) values (${id}, ${userId}, 'member', ${seq})`;
      }
      return id;
    },
    say: (roomId, userId, text, { agoMs = 3_600_000, ...rest } = {}) =>
      append(roomId, 'message.created', userId, { text, agoMs, ...rest }),
    read: async (roomId, userId, seq) => {
      await sql`insert into read_states (user_id, room_id, last_read_seq) values (${userId}, ${roomId}, ${seq})
        on conflict (user_id, room_id) do update set last_read_seq = excluded.last_read_seq`;
    },
    mails: async (userId) => [
      ...(await sql<MailRow[]>`select id, user_id, state, attempts, handed_at is not null as handed,
          (extract(epoch from due_at - clock_timestamp()) * 1000)::float8 as due_in_ms
        from mails where ${userId === undefined} or user_id = ${userId ?? null} order by id`),
    ],
    jobs: async () => [
      ...(await sql<{ task: string; payload: { mailId?: string; roomId?: string }; in_ms: number }[]>`
        select t.identifier as task, j.payload, (extract(epoch from j.run_at - clock_timestamp()) * 1000)::float8 as in_ms
        from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id order by j.id`),
    ],
    close: async () => {
      await sql.end();
      await closeDatabase();
      await database.drop();
    },
  };
}

/** Settings as if configured, for tests that change a few. */
export function jobSettings(environment: Readonly<Record<string, string>> = {}): JobRunnerSettings {
  const { config } = loadConfig(['--role', 'all'], environment);
  return {
    ...config,
    publicUrl: 'https://chat.example.org/',
    tokenLifetimeMs: config.auth.oneTimeTokenLifetime,
    statementTimeoutMs: config.database.statementTimeout,
    connectTimeoutMs: config.database.connectTimeout,
    pooling: config.database.pooling,
  };
}

export const silent = pino({ level: 'silent' });

/** As auth does it. */
export const issueToken: IssueToken = async (tx, purpose, userId, data, lifetimeMs) => {
  const token = randomBytes(32).toString('base64url');
  const hash = createHash('sha256').update(token).digest();
  await tx.insert(oneTimeTokens).values({ hash, purpose, userId, data, expiresAt: new Date(Date.now() + lifetimeMs) });
  return token;
};

export interface TestOffice extends MailWiring {
  readonly workerId: string;
  /** Runs the job of a room, then sends the mails that are due. */
  readonly work: (roomId: string) => Promise<void>;
  /** Runs the mail jobs that are in the queue and due, at most once each. */
  readonly runMails: () => Promise<void>;
}

/** An office that works when it is told to, without a queue worker; it counts as alive. */
export async function openOffice(town: Town, environment: Readonly<Record<string, string>>): Promise<TestOffice> {
  const workerId = uuidv7();
  const metrics = createJobMetrics(new Registry());
  const office = createMailWiring({
    db: town.db,
    workerId,
    issueToken,
    logger: silent,
    outages: createOutages(silent, 60_000),
    metrics,
    settings: jobSettings(environment),
  });
  await town.sql`insert into job_workers (id) values (${workerId})`;

  async function runMails(): Promise<void> {
    const due = await town.sql<{ task: 'unread_mail' | 'account_mail'; mail_id: string }[]>`
      with taken as (
        delete from graphile_worker._private_jobs j using graphile_worker._private_tasks t
        where t.id = j.task_id and t.identifier in ('unread_mail', 'account_mail') and j.run_at <= clock_timestamp()
        returning t.identifier as task, j.payload ->> 'mailId' as mail_id
      ) select * from taken`;
    for (const { task, mail_id: mailId } of due) await office.tasks[task]({ mailId });
  }

  return {
    ...office,
    workerId,
    runMails,
    work: async (roomId) => {
      await office.tasks.room_unread({ roomId });
      await runMails();
    },
  };
}
