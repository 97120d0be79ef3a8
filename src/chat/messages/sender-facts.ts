/** SQL of what moderation wants to know about the sender of a doubtful text. */
import type { Sql } from '../../database/connect.ts';

export interface SenderFacts {
  readonly accountAgeSeconds: number;
  /** Messages that are not deleted, in rooms that the sender is a member of; counted up to `messagesMax`. */
  readonly messagesTotal: number;
  /** The room is a direct message in which everybody else has written. */
  readonly acquainted: boolean;
}

export type FindSenderFacts = (about: {
  readonly userId: string;
  readonly roomId: string | undefined;
  readonly messagesMax: number;
}) => Promise<SenderFacts>;

export function createSenderFacts(sql: Sql): FindSenderFacts {
  return async ({ userId, roomId, messagesMax }) => {
    const [row] = await sql<{ age: number | null; messages: number; acquainted: boolean }[]>`
      select
        (select extract(epoch from clock_timestamp() - created_at)::float8 from users where id = ${userId}) as age,
        (select count(*)::int from (
          select 1 from members m join events e on e.room_id = m.room_id and e.actor_id = m.user_id
          where m.user_id = ${userId} and e.client_id is not null and e.type = 'message.created' and e.deleted_at is null
          limit ${messagesMax}) said) as messages,
        coalesce((
          select bool_and(exists (select from events e where e.room_id = m.room_id and e.actor_id = m.user_id
            and e.client_id is not null and e.type = 'message.created'))
          from rooms r join members m on m.room_id = r.id and m.user_id <> ${userId}
          where r.id = ${roomId ?? null}::uuid and r.kind = 'dm'), false) as acquainted`;
    return {
      accountAgeSeconds: Math.max(0, row?.age ?? 0),
      messagesTotal: row?.messages ?? 0,
      acquainted: row?.acquainted ?? false,
    };
  };
}
