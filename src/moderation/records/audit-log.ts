/** The audit log: what moderators did. Entries are added in the transaction of the act and never changed; old ones are deleted after `keepAudit`. */
import { v7 as uuidv7 } from 'uuid';
import type { RecordAct } from '../../chat/state/moderator-acts.ts';
import type { Sql } from '../../database/connect.ts';
import { moderationAudit } from '../../database/tables/moderation-tables.ts';
import { writeCursor } from '../../http/input/cursors.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { Place } from '../scope/list-place.ts';

export interface AuditEntry {
  readonly id: string;
  /** RFC 3339. */
  readonly at: string;
  readonly action: string;
  /** null: an account that is gone, or an API key. */
  readonly actor: PublicProfile | null;
  readonly roomId: string | null;
  readonly targetId: string | null;
  readonly details: Record<string, unknown>;
}

export const recordAct: RecordAct = async (tx, { action, actorId, roomId, targetId, details = {} }) => {
  await tx.insert(moderationAudit).values({ id: uuidv7(), action, actorId, roomId, targetId, details });
};

export interface AuditLog {
  /** Newest first, `limit` and one more. */
  readonly list: (roomId: string | undefined, after: Place | undefined, limit: number) => Promise<AuditEntry[]>;
  readonly cursorOf: (entry: AuditEntry) => string;
}

export function createAuditLog({ sql, profiles }: { sql: Sql; profiles: Profiles }): AuditLog {
  return {
    list: async (roomId, after, limit) => {
      const rows = await sql<
        {
          id: string;
          created_at: Date;
          action: string;
          actor_id: string | null;
          room_id: string | null;
          target_id: string | null;
          details: Record<string, unknown>;
        }[]
      >`
        select id, created_at, action, actor_id, room_id, target_id, details from moderation_audit
        where ${roomId === undefined ? sql`true` : sql`room_id = ${roomId}`}
          and ${after ? sql`(created_at, id) < (${after.at}::timestamptz, ${after.id}::uuid)` : sql`true`}
        order by created_at desc, id desc limit ${limit + 1}`;
      const people = await profiles.byIds(rows.flatMap(({ actor_id }) => (actor_id === null ? [] : [actor_id])));
      return rows.map(({ id, created_at, action, actor_id, room_id, target_id, details }) => ({
        id,
        at: created_at.toISOString(),
        action,
        actor: (actor_id === null ? undefined : people.get(actor_id)) ?? null,
        roomId: room_id,
        targetId: target_id,
        details,
      }));
    },
    cursorOf: ({ at, id }) => writeCursor([at, id]),
  };
}
