/**
 * What chat instances testify about the log after a restart of Postgres, and the rows that coordinate it.
 *
 * Crash recovery restores a prefix of what was committed. So if the newest commit that an instance saw is still there, nothing that it
 * saw before is missing. An instance remembers its newest commits and how often it has counted its own row up (its *beat*). If either
 * is missing, the data directory was replaced by an older copy.
 */
import type { Sql } from '../../database/connect.ts';
import { epochOfLog, serverRun } from './log-row.ts';

/** An event that this instance knows to be committed. */
export interface KnownEvent {
  readonly roomId: string;
  readonly seq: number;
  /** `events.at`, milliseconds since 1970. No other event with this seq has the same time. */
  readonly atMs: number;
}

/** What one instance remembers of the log. */
export interface LogMemory {
  /** Its row in `log_witnesses`. */
  readonly witness: string;
  /** `log_identity.log_id`. */
  readonly logId: string;
  /** Tells databases apart that share a folder or a Redis. */
  readonly database: string;
  readonly beat: number;
  /** Its newest commits. */
  readonly events: readonly KnownEvent[];
}

/** Which instances have testified about a run of the server. */
export interface Testimony {
  /** The log was found complete in this run, or got a new id in it. */
  readonly adopted: boolean;
  /** Instances that may know more than those that have testified. */
  readonly waiting: number;
  /** An instance that knew the log before this run has found everything in it. */
  readonly vouched: boolean;
}

export interface LogWitnesses {
  /** Creates or renews the instance's row in the present run of the server. */
  readonly register: (id: string, beat: number) => Promise<void>;
  /** @returns false if nothing was counted: the epoch is another one, or the row is missing */
  readonly beat: (id: string, beat: number, epoch: string) => Promise<boolean>;
  readonly end: (id: string) => Promise<void>;
  /** Whether something that is remembered is missing. */
  readonly isLost: (memory: LogMemory) => Promise<boolean>;
  /** Testifies that nothing is missing that this witness remembers. */
  readonly confirm: (id: string, server: string) => Promise<void>;
  readonly testimony: (server: string) => Promise<Testimony>;
  readonly adopt: (server: string) => Promise<void>;
  /** Gives the log a new id, unless another instance has already. @returns whether it did */
  readonly renew: (change: { readonly from: string; readonly to: string; readonly server: string }) => Promise<boolean>;
}

/**
 * A witness counts as heard if another one that was heard lived on for this long after it, because its commits are then older than
 * those that the other one found. Far longer than the interval of beats.
 */
const outlivedMs = 20_000;
/** Rows of instances that are gone are kept this long, which is longer than their memories are. */
const keepRowsMs = 3_600_000;

export function createLogWitnesses(sql: Sql): LogWitnesses {
  const run = sql.unsafe(serverRun);

  return {
    register: async (id, beat) => {
      await sql`delete from log_witnesses where seen_at < clock_timestamp() - ${keepRowsMs} * interval '1 millisecond'`;
      await sql`
        insert into log_witnesses (id, beat, born_in, confirmed_in, seen_at) values (${id}, ${beat}, ${run}, ${run}, clock_timestamp())
        on conflict (id) do update set beat = excluded.beat, born_in = excluded.born_in, confirmed_in = excluded.confirmed_in,
          seen_at = excluded.seen_at, ended_at = null`;
    },
    beat: async (id, beat, epoch) => {
      const rows = await sql`
        update log_witnesses set beat = ${beat}, seen_at = clock_timestamp() from log_identity
        where id = ${id} and ${epochOfLog(sql)} = ${epoch} returning 1 as counted`;
      return rows.length > 0;
    },
    end: async (id) => {
      await sql`update log_witnesses set ended_at = clock_timestamp() where id = ${id}`;
    },
    isLost: async ({ witness, logId, beat, events }) => {
      const [row] = await sql<{ complete: boolean }[]>`
        select exists (select 1 from log_identity where log_id = ${logId})
          and exists (select 1 from log_witnesses where id = ${witness} and beat >= ${beat})
          and not exists (
            select 1 from unnest(${events.map(({ roomId }) => roomId)}::uuid[], ${events.map(({ seq }) => String(seq))}::bigint[],
              ${events.map(({ atMs }) => String(atMs))}::bigint[]) as known(room_id, seq, at_ms)
            where not exists (
              select 1 from events e where e.room_id = known.room_id and e.seq = known.seq
                and (extract(epoch from e.at) * 1000)::bigint = known.at_ms)
          ) as complete`;
      return !row!.complete;
    },
    confirm: async (id, server) => {
      await sql`update log_witnesses set confirmed_in = ${server} where id = ${id} and ${run} = ${server}`;
    },
    testimony: async (server) => {
      const [row] = await sql<{ adopted: boolean; waiting: number; vouched: boolean }[]>`
        with vouching as materialized (select seen_at from log_witnesses where confirmed_in = ${server} and born_in <> ${server})
        select exists (select 1 from log_server where started_at = ${server}) as adopted,
          exists (select 1 from vouching) as vouched,
          (select count(*)::int from log_witnesses w where ended_at is null and confirmed_in <> ${server} and not exists (
            select 1 from vouching v where v.seen_at > w.seen_at + ${outlivedMs} * interval '1 millisecond')) as waiting`;
      return row!;
    },
    adopt: async (server) => {
      await sql`
        insert into log_server (singleton, started_at) select true, ${server}::text where ${run} = ${server}
        on conflict (singleton) do update set started_at = excluded.started_at, adopted_at = now()`;
    },
    renew: async ({ from, to, server }) => {
      const rows = await sql`
        with renewed as (
          update log_identity set log_id = ${to}, created_at = now() where log_id = ${from} and ${run} = ${server} returning 1
        )
        insert into log_server (singleton, started_at) select true, ${server}::text from renewed
        on conflict (singleton) do update set started_at = excluded.started_at, adopted_at = now() returning 1 as renewed`;
      return rows.length > 0;
    },
  };
}
