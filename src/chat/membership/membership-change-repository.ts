/**
 * Reads the beginnings and ends of memberships; every instance does. New rows are found by transaction id: each call rereads
 * everything from the oldest transaction that was still open at the call before, so a late commit is never skipped.
 */
import type { Sql } from '../../database/connect.ts';
import type { JoinHint } from '../../realtime/cluster/hints.ts';

export interface MembershipChanges {
  /** Memberships that began since the last call; some may be returned twice. */
  readonly newMemberships: () => Promise<JoinHint[]>;
  /** For a database that was restored to an earlier state: the next call starts at its present end. */
  readonly startOver: () => void;
  /** How the user's last memberships in these rooms ended, by room id. */
  readonly endsOf: (
    userId: string,
    roomIds: readonly string[],
  ) => Promise<Map<string, { reason: string; lastSeq: number }>>;
}

export function createMembershipChanges(sql: Sql): MembershipChanges {
  let horizon: string | undefined;
  /** Incremented by `startOver`: a query that began before it must not move the horizon of the new database. */
  let restarts = 0;

  async function newMemberships(): Promise<JoinHint[]> {
    const restartsBefore = restarts;
    const [snapshot] = await sql<{ xmin: string; joined: { userId: string; roomId: string; seq: number }[] | null }[]>`
      select pg_snapshot_xmin(pg_current_snapshot())::text as xmin,
        (select json_agg(json_build_object('userId', user_id, 'roomId', room_id, 'seq', seq)) from membership_changes
          where ${horizon !== undefined} and xid >= ${horizon ?? '0'}::xid8 and kind = 'joined') as joined`;
    if (restartsBefore === restarts) horizon = snapshot!.xmin;
    return snapshot!.joined ?? [];
  }

  async function endsOf(
    userId: string,
    roomIds: readonly string[],
  ): Promise<Map<string, { reason: string; lastSeq: number }>> {
    const rows = await sql<{ room_id: string; reason: string | null; seq: string }[]>`
      select distinct on (room_id) room_id, reason, seq from membership_changes
      where user_id = ${userId} and room_id = any(${roomIds as string[]}::uuid[]) and kind = 'left'
      order by room_id, id desc`;
    return new Map(rows.map((row) => [row.room_id, { reason: row.reason ?? 'left', lastSeq: Number(row.seq) }]));
  }

  function startOver(): void {
    restarts += 1;
    horizon = undefined;
  }

  return { newMemberships, endsOf, startOver };
}
