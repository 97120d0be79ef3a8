/** SQL of the previews of messages. */
import { sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { messageMarks } from '../state/message-marks.ts';
import type { PageText } from './link-page-repository.ts';

export interface MessagePlace {
  readonly roomId: string;
  readonly messageId: string;
}

/** As it is stored. */
export interface StoredPreview extends PageText {
  readonly url: string;
  /** Of an attachment of the message. */
  readonly pictureId: string | null;
}

const idList = (ids: readonly string[]) => sql`${`{${ids.join(',')}}`}::uuid[]`;

/** A message as far as its previews need it. */
export interface PreviewedMessage {
  readonly authorId: string;
  readonly html: string;
  readonly previews: readonly StoredPreview[];
  /** Its author wants no previews. */
  readonly isClosed: boolean;
}

/** Undefined for a message that is deleted, or not there. */
export async function findPreviewed(db: Database, place: MessagePlace): Promise<PreviewedMessage | undefined> {
  const [row] = await db.execute<{
    authorId: string;
    html: string;
    previews: readonly StoredPreview[];
    isClosed: boolean;
  }>(sql`
    select e.actor_id as "authorId", e.html, coalesce(p.previews, '[]') as previews, p.removed_at is not null as "isClosed"
    from events e left join link_previews p on p.message_id = e.message_id
    where e.room_id = ${place.roomId} and e.message_id = ${place.messageId} and e.type = 'message.created' and e.deleted_at is null`);
  return row;
}

/** What is stored of the previews of a message that the transaction has locked. */
export async function findStored(
  tx: Transaction,
  messageId: string,
): Promise<Pick<PreviewedMessage, 'previews' | 'isClosed'>> {
  const [row] = await tx.execute<{ previews: readonly StoredPreview[]; isClosed: boolean }>(sql`
    select previews, removed_at is not null as "isClosed" from link_previews where message_id = ${messageId}`);
  return row ?? { previews: [], isClosed: false };
}

/** Replaces the previews of a message. */
export async function storePreviews(
  tx: Transaction,
  place: MessagePlace,
  previews: readonly StoredPreview[],
): Promise<void> {
  const json = sql`${JSON.stringify(previews)}::jsonb`;
  await tx.execute(sql`
    insert into link_previews (message_id, room_id, previews) values (${place.messageId}, ${place.roomId}, ${json})
    on conflict (message_id) do update set previews = excluded.previews`);
  await tx.execute(sql`
    update events set marks = marks | ${messageMarks.previews}
    where room_id = ${place.roomId} and message_id = ${place.messageId} and type = 'message.created'
      and marks & ${messageMarks.previews} = 0`);
}

/** Removes the previews of a message for good: none are fetched again. */
export async function closePreviews(tx: Transaction, { roomId, messageId }: MessagePlace): Promise<void> {
  await tx.execute(sql`
    insert into link_previews (message_id, room_id, removed_at) values (${messageId}, ${roomId}, now())
    on conflict (message_id) do update set previews = '[]', removed_at = coalesce(link_previews.removed_at, now())`);
  // Events that showed them are read again by resumes.
  await tx.execute(sql`
    update events e set data = e.data #- '{shown,previews}' from events m
    where m.message_id = ${messageId} and m.type = 'message.created' and e.room_id = ${roomId} and e.seq > m.seq
      and e.message_id = m.message_id and e.type = 'message.updated' and e.data -> 'shown' ? 'previews'`);
}

export async function findPreviews(
  db: Database | Transaction,
  messageIds: readonly string[],
): Promise<{ messageId: string; previews: readonly StoredPreview[] }[]> {
  return db.execute<{ messageId: string; previews: readonly StoredPreview[] }>(sql`
    select message_id as "messageId", previews from link_previews
    where message_id = any(${idList(messageIds)}) and previews <> '[]'`);
}

export async function deletePreviews(tx: Transaction, messageIds: readonly string[]): Promise<void> {
  await tx.execute(sql`delete from link_previews where message_id = any(${idList(messageIds)})`);
}

/** Makes an upload of the message's author part of the message, beside its files: it has no place among them. */
export async function showPicture(
  tx: Transaction,
  pictureId: string,
  { roomId, messageId, authorId }: MessagePlace & { readonly authorId: string },
): Promise<void> {
  await tx.execute(sql`
    update attachments set room_id = ${roomId}, message_id = ${messageId}
    where id = ${pictureId} and owner_id = ${authorId} and message_id is null and state = 'ready'`);
}
