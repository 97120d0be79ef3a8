/** The rows that make up an entry of the queue. */
import { messageColumns, type StoredMessage, toMessageFields } from '../../chat/events/message-columns.ts';
import type { MessageFields } from '../../chat/state/message-shape.ts';
import type { Sql } from '../../database/connect.ts';
import type { ModerationLabel } from '../scope/label-schema.ts';
import type { QueueState } from './queue-entry.ts';

export interface MessageRow extends Omit<StoredMessage, 'actor_id'> {
  room_id: string;
  author_id: string;
}

/** The columns of `MessageRow`, of the event `e`. */
export function shownColumns(sql: Sql) {
  return sql`e.room_id, ${sql.unsafe(messageColumns('e', { actor_id: 'e.actor_id as author_id' }))}`;
}

export interface EntryRow extends MessageRow {
  id: string;
  state: QueueState;
  source: 'report' | 'engine';
  created_at: Date;
  room_name: string;
  room_kind: 'room' | 'dm';
  /** Of a message that a moderator removed: its text and HTML before. */
  kept_text: string | null;
  kept_html: string | null;
  labels: ModerationLabel[];
  spam_score: number | null;
  engine_version: string | null;
  decided_by: string | null;
  decided_at: Date | null;
  note: string | null;
}

/** What moderators see of a message; the text of a deleted one is empty, and replies are not counted. */
export function toFields(row: MessageRow): MessageFields {
  return toMessageFields(row, row.room_id, 0);
}
