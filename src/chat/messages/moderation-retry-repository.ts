/** Messages that got no verdict in time, in Postgres: kept back (`pending`), or delivered and still to be judged (`open`). */
import type { Sql } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { CheckedDraft } from '../state/message-draft.ts';

export interface Unmoderated extends CheckedDraft {
  readonly mode: 'pending' | 'open';
  /** The author's deployment role as of now. */
  readonly authorRole: 'user' | 'moderator' | 'admin';
  /** It has waited for longer than any append takes. */
  readonly old: boolean;
}

export interface Held {
  readonly messageId: string;
  readonly atMs: number;
  readonly duplicate: boolean;
}

export interface ModerationRetryRepository {
  /**
   * Keeps a draft. The same clientId and content again gets the first answer.
   * @throws Failure `conflict` for other content, `unavailable` at the bounds
   */
  readonly hold: (draft: CheckedDraft, mode: Unmoderated['mode']) => Promise<Held>;
  /** Whether a message of this author is kept back in the room: later ones must wait behind it. */
  readonly isWaiting: (roomId: string, authorId: string) => Promise<boolean>;
  /** Reserves the oldest message of each author and room for this instance, for `claimMs`. */
  readonly claim: () => Promise<Unmoderated[]>;
  /** Lets any instance claim the message again. */
  readonly release: (messageId: string) => Promise<void>;
  readonly remove: (messageId: string) => Promise<void>;
}

export interface ModerationRetrySettings {
  readonly unjudgedPerAuthor: number;
  readonly unjudgedMax: number;
}

const claimMs = 10_000;
const claimMax = 50;

export function createModerationRetryRepository({
  sql,
  settings,
}: {
  sql: Sql;
  settings: ModerationRetrySettings;
}): ModerationRetryRepository {
  async function hold(draft: CheckedDraft, mode: Unmoderated['mode']): Promise<Held> {
    const { messageId, roomId, authorId, clientId, digest, text, replyTo, threadId, alsoInRoom, parts } = draft;
    const rest =
      threadId === null && parts === undefined
        ? null
        : sql.json({ threadId, alsoInRoom, ...(parts ? { parts: parts as never } : {}) });
    const [stored] = await sql<{ at: Date }[]>`
      insert into unjudged_messages (message_id, mode, room_id, author_id, client_id, digest, text, reply_to, parts)
      select ${messageId}, ${mode}, ${roomId}, ${authorId}, ${clientId}, ${String(digest)}::bigint, ${text}, ${replyTo}, ${rest}::jsonb
      where (select count(*) from unjudged_messages where author_id = ${authorId}) < ${settings.unjudgedPerAuthor}
        and (select count(*) from unjudged_messages) < ${settings.unjudgedMax}
      on conflict (room_id, author_id, client_id) do nothing returning created_at as at`;
    if (stored) return { messageId, atMs: stored.at.getTime(), duplicate: false };
    const [first] = await sql<{ message_id: string; digest: bigint; at: Date }[]>`
      select message_id, digest, created_at as at from unjudged_messages
      where room_id = ${roomId} and author_id = ${authorId} and client_id = ${clientId}`;
    if (!first) throw new Failure('unavailable', 'too many messages wait for their verdict', { retryAfterMs: 5000 });
    if (BigInt(first.digest) !== digest) throw new Failure('conflict', 'this clientId was used for another message');
    return { messageId: first.message_id, atMs: first.at.getTime(), duplicate: true };
  }

  async function claim(): Promise<Unmoderated[]> {
    const rows = await sql<
      {
        message_id: string;
        mode: Unmoderated['mode'];
        room_id: string;
        author_id: string;
        client_id: string;
        digest: bigint;
        text: string;
        reply_to: string | null;
        parts: Partial<Pick<CheckedDraft, 'threadId' | 'alsoInRoom' | 'parts'>> | null;
        role: Unmoderated['authorRole'] | null;
        old: boolean;
      }[]
    >`
      with due as (
        select u.message_id from unjudged_messages u
        where (u.claimed_until is null or u.claimed_until < now())
          and not exists (select 1 from unjudged_messages p where p.room_id = u.room_id and p.author_id = u.author_id
            and p.position < u.position)
        order by u.position limit ${claimMax} for update skip locked
      )
      update unjudged_messages u set claimed_until = now() + ${claimMs} * interval '1 millisecond' from due
      where u.message_id = due.message_id
      returning u.message_id, u.mode, u.room_id, u.author_id, u.client_id, u.digest, u.text, u.reply_to, u.parts,
        (select role from users where id = u.author_id and erased_at is null) as role,
        u.created_at < now() - interval '1 minute' as old`;
    return rows.map((row) => ({
      messageId: row.message_id,
      mode: row.mode,
      roomId: row.room_id,
      authorId: row.author_id,
      clientId: row.client_id,
      digest: BigInt(row.digest),
      text: row.text,
      replyTo: row.reply_to,
      threadId: row.parts?.threadId ?? null,
      alsoInRoom: row.parts?.alsoInRoom ?? false,
      parts: row.parts?.parts,
      authorRole: row.role ?? 'user',
      old: row.old,
    }));
  }

  return {
    hold,
    isWaiting: async (roomId, authorId) => {
      const rows = await sql`
        select 1 from unjudged_messages where room_id = ${roomId} and author_id = ${authorId} and mode = 'pending' limit 1`;
      return rows.length > 0;
    },
    claim,
    release: async (messageId) => {
      await sql`update unjudged_messages set claimed_until = null where message_id = ${messageId}`;
    },
    remove: async (messageId) => {
      await sql`delete from unjudged_messages where message_id = ${messageId}`;
    },
  };
}
