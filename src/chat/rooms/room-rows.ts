/** The columns of a room that every query reads, and the room that lists and answers show. */

export interface RoomRow {
  id: string;
  kind: 'room' | 'dm';
  name: string;
  topic: string;
  visibility: 'public' | 'private';
  history: 'all' | 'joined';
  slow_mode_seconds: number;
  pins: 'moderators' | 'members';
  receipts: boolean | null;
  created_at: Date;
  deleted: boolean;
  /** bigint: arrives as a string. */
  seq: string;
}

/** A room as its viewer sees it. */
export interface Room {
  readonly id: string;
  readonly kind: 'room' | 'dm';
  readonly name: string;
  readonly topic: string;
  readonly visibility: 'public' | 'private';
  readonly history: 'all' | 'joined';
  readonly slowModeSeconds: number;
  readonly pins: 'moderators' | 'members';
  readonly receipts: boolean;
  /** RFC 3339. */
  readonly createdAt: string;
  /** Of the newest event. */
  readonly seq: number;
  readonly memberCount: number;
}

export function toRoom(row: RoomRow): Omit<Room, 'memberCount'> {
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    topic: row.topic,
    visibility: row.visibility,
    history: row.history,
    slowModeSeconds: row.slow_mode_seconds,
    pins: row.pins,
    receipts: row.receipts ?? row.kind === 'dm',
    createdAt: row.created_at.toISOString(),
    seq: Number(row.seq),
  };
}
