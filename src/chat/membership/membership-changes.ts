/**
 * Memberships as they begin and end, read by every instance. Rows are found by the transaction ids that a snapshot
 * may still be missing, so none is ever skipped however late its transaction commits.
 */
import type { Sql } from '../../database/connect.ts';
import type { JoinHint } from '../../realtime/cluster/hints.ts';

export interface MembershipChanges {
  /** Memberships that began since the last call; some may be told twice. */
  readonly newMemberships: () => Promise<JoinHint[]>;
  /** The database went back to an earlier state: the next call begins at its present end. */
  readonly startOver: () => void;
  /** How the user's memberships in these rooms ended last. */
  readonly endsOf: (
    userId: string,
    roomIds: readonly string[],
  ) => Promise<Map<string, { reason: string; lastSeq: number }>>;
}

export function createMembershipChanges(sql: Sql): MembershipChanges {
  let horizon: string | undefined;
  /** Counted up when the log was replaced: a look that began before says nothing of the new one. */
  let readings = 0;

  async function newMemberships(): Promise<JoinHint[]> {
    const asked = readings;
    const [snapshot] = await sql<{ xmin: string; joined: { userId: string; roomId: string; seq: number }[] | null }[]>`
      select pg_snapshot_xmin(pg_current_snapshot())::text as xmin,
        (select json_agg(json_build_object('userId', user_id, 'roomId', room_id, 'seq', seq)) from membership_changes
          where ${horizon !== undefined} and xid >= ${horizon ?? '0'}::xid8 and kind = 'joined') as joined`;
    if (asked === readings) horizon = snapshot!.xmin;
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
    readings += 1;
    horizon = undefined;
  }

  return { newMemberships, endsOf, startOver };
}
