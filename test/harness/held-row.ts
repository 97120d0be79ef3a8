/** Forces an order upon requests that meet at one row: a test holds it, sees each of them arrive, and lets go. */
import postgres from 'postgres';
import { expect } from 'vitest';

export interface HeldRow {
  /** Resolves when so many statements wait for it, or behind one that does. Postgres serves them in the order in which they came. */
  readonly waiting: (count: number) => Promise<void>;
  /** Waits for a statement that holds this text and waits for a lock, and cuts its connection: the statement is undone. */
  readonly cut: (text: string) => Promise<void>;
  readonly release: () => Promise<void>;
}

/** The end of a hold: what it took is rolled back. */
class LetGo extends Error {}

/** Holds a user's row for update with a connection of the test's own. */
export function holdUser(database: { readonly url: string }, userId: string): Promise<HeldRow> {
  return holdRow(database, (tx) => tx`select from users where id = ${userId} for update`);
}

/** Holds a table against every reader and writer. */
export function holdTable(database: { readonly url: string }, table: string): Promise<HeldRow> {
  return holdRow(database, (tx) => tx`lock table ${tx(table)} in access exclusive mode`);
}

/** Holds the next seq of a room, which an insert of it waits for; nothing of it stays. */
export function holdLog(
  database: { readonly url: string },
  { roomId, seq, userId }: { roomId: string; seq: number; userId: string },
): Promise<HeldRow> {
  return holdRow(database, async (tx) => {
    await tx`insert into events (room_id, seq, type, at, actor_id, data)
      values (${roomId}, ${seq}, 'room.updated', now(), ${userId}, '{}')`;
  });
}

/** Takes the next seq of a room as another instance does that mutes a member: released, the mute is there. */
export function holdMute(
  database: { readonly url: string },
  { roomId, seq, userId, by }: { roomId: string; seq: number; userId: string; by: string },
): Promise<HeldRow> {
  const until = new Date(Date.now() + 600_000);
  const take = async (tx: postgres.TransactionSql) => {
    await tx`update members set muted_until = ${until} where room_id = ${roomId} and user_id = ${userId}`;
    const data = { userId, role: 'member', by, mutedUntil: until.toISOString() };
    await tx`insert into events (room_id, seq, type, at, actor_id, data)
      values (${roomId}, ${seq}, 'member.updated', now(), ${by}, ${tx.json(data)})`;
  };
  return holdRow(database, take, 'commit');
}

/** Holds what a transaction of the test's own takes. */
export async function holdRow(
  database: { readonly url: string },
  take: (tx: postgres.TransactionSql) => PromiseLike<unknown>,
  end: 'commit' | 'roll back' = 'roll back',
): Promise<HeldRow> {
  const sql = postgres(database.url, { max: 2, onnotice: () => {} });
  let holder = 0;
  let letGo: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let transaction: Promise<unknown> | undefined;
  await new Promise<void>((resolve, reject) => {
    transaction = sql
      .begin(async (tx) => {
        holder = (await tx`select pg_backend_pid() as pid`)[0]!.pid as number;
        await take(tx);
        resolve();
        await ended;
        if (end === 'roll back') throw new LetGo();
      })
      .catch((error: unknown) => {
        if (!(error instanceof LetGo)) throw error;
      });
    transaction.catch(reject);
  });
  return {
    waiting: (count) => expect.poll(() => waitingFor(sql, holder)).toBe(count),
    cut: (text) =>
      expect
        .poll(
          async () =>
            (
              await sql`select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock' and position(${text} in query) > 0`
            ).length,
        )
        .toBeGreaterThan(0),
    release: async () => {
      letGo();
      await transaction;
      await sql.end();
    },
  };
}

/** Others may use the database as well: only those count that the holder keeps waiting. */
async function waitingFor(sql: postgres.Sql, holder: number): Promise<number> {
  const [row] = await sql`
    with recursive waiting as (
        select pid, pg_blocking_pids(pid) as behind from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'),
      blocked as (
        select pid from waiting where ${holder} = any(behind)
        union select waiting.pid from waiting join blocked on blocked.pid = any(waiting.behind))
    select count(*)::int as count from blocked`;
  return row!.count as number;
}
