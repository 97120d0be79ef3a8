/**
 * That texts were refused, and why: for the moderators and for what the engine is told of a sender. The text itself, and
 * what of it matched, stays with its author.
 */
import type { Logger } from 'pino';
import { unknownProfile } from '../chat/events/message-shape.ts';
import type { BlockListener } from '../chat/messages/message-service.ts';
import type { Database, Sql } from '../database/connect.ts';
import { moderationBlocks } from '../database/tables.ts';
import { writeCursor } from '../http/cursors.ts';
import type { Profiles, PublicProfile } from '../user/profiles.ts';
import type { Scope } from './moderator-access.ts';

export interface Refusal {
  readonly author: PublicProfile;
  readonly roomId: string;
  readonly kind: 'message' | 'edit';
  readonly labels: { readonly name: string; readonly score: number; readonly id: string }[];
  readonly engineVersion: string;
  readonly at: string;
}

export interface RefusalLog {
  /** Never throws and is not awaited: the refusal stands, whatever becomes of its record. */
  readonly note: BlockListener;
  /** Newest first, `limit` and one more. @param before the number that a cursor holds */
  readonly list: (scope: Scope, before: number | undefined, limit: number) => Promise<(Refusal & { number: number })[]>;
  readonly cursorOf: (refusal: { number: number }) => string;
}

/** Records on their way; more are dropped. */
const writingMax = 100;
const labelsMax = 20;

export function createRefusalLog({
  db,
  sql,
  profiles,
  logger,
}: {
  db: Database;
  sql: Sql;
  profiles: Profiles;
  logger: Logger;
}): RefusalLog {
  let writing = 0;

  return {
    note: ({ roomId, authorId, kind, verdict }) => {
      if (writing >= writingMax) return;
      writing += 1;
      const labels = verdict.labels.slice(0, labelsMax).map(({ name, score, id }) => ({ name, score, id }));
      db.insert(moderationBlocks)
        .values({ authorId, roomId, kind, labels, engineVersion: verdict.engineVersion })
        .catch((error: unknown) => logger.debug({ error }, 'a refusal could not be written down'))
        .finally(() => {
          writing -= 1;
        });
    },
    list: async ({ roomId }, before, limit) => {
      const rows = await sql<
        {
          id: string;
          author_id: string;
          room_id: string;
          kind: Refusal['kind'];
          labels: Refusal['labels'];
          engine_version: string;
          created_at: Date;
        }[]
      >`
        select id, author_id, room_id, kind, labels, engine_version, created_at from moderation_blocks
        where ${roomId === undefined ? sql`true` : sql`room_id = ${roomId}`} and ${before === undefined ? sql`true` : sql`id < ${String(before)}`}
        order by id desc limit ${limit + 1}`;
      const people = await profiles.byIds([...new Set(rows.map((row) => row.author_id))]);
      return rows.map((row) => ({
        number: Number(row.id),
        author: people.get(row.author_id) ?? unknownProfile(row.author_id),
        roomId: row.room_id,
        kind: row.kind,
        labels: row.labels,
        engineVersion: row.engine_version,
        at: row.created_at.toISOString(),
      }));
    },
    cursorOf: ({ number }) => writeCursor([number]),
  };
}
