/** The messages that a dry run tries a rule on. */
import type { Sql } from '../../database/connect.ts';
import type { Scope } from '../scope/moderator-access.ts';

export interface DryRunMessage {
  readonly messageId: string;
  readonly roomId: string;
  /** bigint: may arrive as a string. */
  readonly seq: bigint;
  readonly authorId: string;
  readonly text: string;
  readonly at: Date;
  /** Whether the caller may read it. */
  readonly readable: boolean;
}

/** Messages of one page. */
const pageSize = 500;

/**
 * The messages of the last days in these rooms, newest first, direct messages left out. Of private rooms that staff are no
 * members of, messages are counted but not shown: they come with `readable: false`.
 * @param last the last message of the page before
 */
export async function readRecentMessages(
  sql: Sql,
  { userId, scope: { roomId, from }, days }: { userId: string; scope: Scope; days: number },
  last: DryRunMessage | undefined,
): Promise<DryRunMessage[]> {
  const columns = sql`e.message_id as "messageId", e.room_id as "roomId", e.seq, e.actor_id as "authorId", e.text, e.at,
      (r.visibility = 'public' and r.history = 'all'
        or exists (select from members m where m.room_id = r.id and m.user_id = ${userId})) as readable`;
  const recent = sql`e.type = 'message.created' and e.deleted_at is null and e.at > now() - ${days} * interval '1 day'`;
  // A room's log is in the order of time, near enough to page by seq.
  if (roomId !== undefined)
    return sql<DryRunMessage[]>`
        select ${columns} from events e join rooms r on r.id = e.room_id and r.kind = 'room'
        where e.room_id = ${roomId} and e.seq >= ${String(from)} and e.seq < ${String(last?.seq ?? Number.MAX_SAFE_INTEGER)} and ${recent}
        order by e.seq desc limit ${pageSize}`;
  // Message ids are UUIDv7: they are in the order of time, and an index has them.
  return sql<DryRunMessage[]>`
      select ${columns} from events e join rooms r on r.id = e.room_id and r.kind = 'room' and r.deleted_at is null
      where e.message_id < ${last?.messageId ?? 'ffffffff-ffff-ffff-ffff-ffffffffffff'} and ${recent}
      order by e.message_id desc limit ${pageSize}`;
}
