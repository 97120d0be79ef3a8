/** The SQL of reactions. */
import { sql } from 'drizzle-orm';
import { plainArray, textArray } from '../../database/array-literal.ts';
import type { Database, Transaction } from '../../database/connect.ts';
import type { Reaction } from '../state/message-extras.ts';
import { messageMarks } from '../state/message-marks.ts';

/** People whose ids a message shows for each of its reactions. */
const shownPeople = 20;

export interface ReactionKey {
  readonly messageId: string;
  readonly emoji: string;
  readonly userId: string;
}

export interface StoredReaction extends ReactionKey {
  /** Of its `reaction.added` event. */
  readonly seq: number;
}

/** The part of a message that decides about reactions to it. */
export interface ReactedMessage {
  readonly id: string;
  readonly seq: number;
  readonly marks: number;
  readonly deleted: boolean;
}

const ids = (values: readonly string[]) => sql`${plainArray(values)}::uuid[]`;
const texts = (values: readonly string[]) => sql`${textArray(values)}::text[]`;

/** `k(message_id, emoji, user_id)` */
function keyRows(keys: readonly ReactionKey[]) {
  return sql`unnest(${ids(keys.map((key) => key.messageId))}, ${texts(keys.map((key) => key.emoji))},
    ${ids(keys.map((key) => key.userId))}) as k(message_id, emoji, user_id)`;
}

// ── For a batch of changes ──

/** Locks the rows of messages, always in the same order, so that two transactions do not wait for each other. */
export async function lockMessages(
  tx: Transaction,
  roomId: string,
  messageIds: readonly string[],
): Promise<ReactedMessage[]> {
  const rows = await tx.execute<{ id: string; seq: string; marks: number; deleted: boolean }>(sql`
    select message_id as id, seq, marks, deleted_at is not null as deleted from events
    where message_id = any(${ids(messageIds)}) and type = 'message.created' and room_id = ${roomId}
    order by seq for update`);
  return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
}

export async function findReactions(tx: Transaction, keys: readonly ReactionKey[]): Promise<StoredReaction[]> {
  const rows = await tx.execute<{ messageId: string; emoji: string; userId: string; seq: string }>(sql`
    select r.message_id as "messageId", r.emoji, r.user_id as "userId", r.seq from ${keyRows(keys)}
    join reactions r on r.message_id = k.message_id and r.emoji = k.emoji collate "C" and r.user_id = k.user_id`);
  return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
}

/** How many people have reacted with the emoji of these keys. @param max counts no further */
export async function countPeople(
  tx: Transaction,
  keys: readonly ReactionKey[],
  max: number,
): Promise<{ messageId: string; emoji: string; people: number }[]> {
  const rows = await tx.execute<{ messageId: string; emoji: string; people: number }>(sql`
    select p.message_id as "messageId", p.emoji, (
      select count(*)::int from (
        select from reactions r where r.message_id = p.message_id and r.emoji = p.emoji collate "C" limit ${max}
      ) found
    ) as people
    from (select distinct k.message_id, k.emoji from ${keyRows(keys)}) p`);
  return [...rows];
}

/** The different emoji of each message. Jumps from one to the next in the index, however many people there are. */
export async function findEmojis(
  tx: Transaction,
  messageIds: readonly string[],
): Promise<{ messageId: string; emoji: string }[]> {
  const rows = await tx.execute<{ messageId: string; emoji: string }>(sql`
    with recursive found(message_id, emoji) as (
      select m.id, (select min(r.emoji) from reactions r where r.message_id = m.id) from unnest(${ids(messageIds)}) as m(id)
      union all
      select f.message_id, (select min(r.emoji) from reactions r where r.message_id = f.message_id and r.emoji > f.emoji)
      from found f where f.emoji is not null
    )
    select message_id as "messageId", emoji from found where emoji is not null`);
  return [...rows];
}

/** Stores reactions under their seq, new or again. */
export async function storeReactions(
  tx: Transaction,
  roomId: string,
  reactions: readonly StoredReaction[],
): Promise<void> {
  if (reactions.length === 0) return;
  await tx.execute(sql`
    insert into reactions (message_id, emoji, user_id, room_id, seq)
    select n.message_id, n.emoji, n.user_id, ${roomId}::uuid, n.seq
    from unnest(${ids(reactions.map((each) => each.messageId))}, ${texts(reactions.map((each) => each.emoji))},
      ${ids(reactions.map((each) => each.userId))}, ${plainArray(reactions.map((each) => each.seq))}::bigint[]
    ) as n(message_id, emoji, user_id, seq)
    order by 1, 2, 3
    on conflict (message_id, emoji, user_id) do update set seq = excluded.seq, at = now()`);
}

export async function deleteReactions(tx: Transaction, keys: readonly ReactionKey[]): Promise<void> {
  if (keys.length === 0) return;
  await tx.execute(sql`
    delete from reactions r using ${keyRows(keys)}
    where r.message_id = k.message_id and r.emoji = k.emoji collate "C" and r.user_id = k.user_id`);
}

/** Notes in the rows of messages, which are locked, that they have reactions. */
export async function markReacted(tx: Transaction, roomId: string, messageIds: readonly string[]): Promise<void> {
  if (messageIds.length === 0) return;
  await tx.execute(sql`
    update events set marks = marks | ${messageMarks.reactions}
    where room_id = ${roomId} and message_id = any(${ids(messageIds)}) and type = 'message.created'`);
}

// ── Reading ──

/** The reactions of each message in the order of their first use, with the first people of each. */
export async function loadReactions(
  db: Database | Transaction,
  messageIds: readonly string[],
): Promise<Map<string, Reaction[]>> {
  const rows = await db.execute<{ messageId: string; emoji: string; count: number; userIds: string[] }>(sql`
    select message_id as "messageId", emoji, count(*)::int as count,
      (array_agg(user_id order by seq))[1:${sql.raw(String(shownPeople))}] as "userIds"
    from reactions where message_id = any(${ids(messageIds)})
    group by message_id, emoji order by message_id, min(seq)`);
  const found = new Map<string, Reaction[]>();
  for (const { messageId, emoji, count, userIds } of rows) {
    const reactions = found.get(messageId) ?? [];
    reactions.push({ emoji, count, userIds });
    found.set(messageId, reactions);
  }
  return found;
}

/** Whether the message is there and not deleted, and its seq. */
export async function findReacted(
  db: Database,
  { roomId, messageId }: { readonly roomId: string; readonly messageId: string },
): Promise<{ seq: number } | undefined> {
  const [row] = await db.execute<{ seq: string }>(sql`
    select seq from events
    where message_id = ${messageId} and type = 'message.created' and room_id = ${roomId} and deleted_at is null`);
  return row && { seq: Number(row.seq) };
}

export interface ReactionPlace {
  readonly messageId: string;
  readonly emoji: string;
}

/** The people who reacted, the first one first. @param to the highest seq that the reader may know */
export async function readPeople(
  db: Database,
  { messageId, emoji }: ReactionPlace,
  { after, to, limit }: { readonly after: number; readonly to: number; readonly limit: number },
): Promise<{ userId: string; seq: number; at: string }[]> {
  const rows = await db.execute<{ userId: string; seq: string; at: string }>(sql`
    select user_id as "userId", seq, at from reactions
    where message_id = ${messageId} and emoji = ${emoji} collate "C" and seq > ${after} and seq <= ${to}
    order by seq limit ${limit}`);
  return rows.map((row) => ({ ...row, seq: Number(row.seq), at: new Date(row.at).toISOString() }));
}

// ── Erasure and export ──

export async function deleteOfMessages(tx: Transaction, messageIds: readonly string[]): Promise<void> {
  await tx.execute(sql`delete from reactions where message_id = any(${ids(messageIds)})`);
}

/** The rooms in which the user has reacted. */
export async function readRoomIds(db: Database, userId: string): Promise<string[]> {
  const rows = await db.execute<{ roomId: string }>(
    sql`select distinct room_id as "roomId" from reactions where user_id = ${userId} order by 1`,
  );
  return rows.map(({ roomId }) => roomId);
}

/** Deletes some reactions of a user. @returns how many, and those that readers see: not of deleted messages */
export async function deleteOfUser(
  tx: Transaction,
  { roomId, userId, limit }: { readonly roomId: string; readonly userId: string; readonly limit: number },
): Promise<{ count: number; shown: ReactionPlace[] }> {
  const rows = await tx.execute<{ messageId: string; emoji: string; deleted: boolean }>(sql`
    with gone as (
      delete from reactions where (message_id, emoji, user_id) in (
        select message_id, emoji, user_id from reactions where user_id = ${userId} and room_id = ${roomId} order by seq limit ${limit}
      ) returning message_id, emoji, seq
    )
    select gone.message_id as "messageId", gone.emoji, e.deleted_at is not null as deleted
    from gone join events e on e.message_id = gone.message_id and e.type = 'message.created' order by gone.seq`);
  const shown = rows.filter(({ deleted }) => !deleted);
  return { count: rows.length, shown: shown.map(({ messageId, emoji }) => ({ messageId, emoji })) };
}

/** For the archive. */
export async function readOfUser(
  db: Database,
  {
    roomId,
    userId,
    after,
    limit,
  }: { readonly roomId: string; readonly userId: string; readonly after: number; readonly limit: number },
): Promise<{ roomId: string; messageId: string; emoji: string; seq: number; at: string }[]> {
  const rows = await db.execute<{ messageId: string; emoji: string; seq: string; at: string }>(sql`
    select message_id as "messageId", emoji, seq, at from reactions
    where user_id = ${userId} and room_id = ${roomId} and seq > ${after} order by seq limit ${limit}`);
  return rows.map((row) => ({ roomId, ...row, seq: Number(row.seq), at: new Date(row.at).toISOString() }));
}
