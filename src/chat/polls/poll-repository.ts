/** SQL of polls and votes. */
import { and, eq, inArray, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { polls, pollVotes } from '../../database/tables/conversation-tables.ts';
import { events } from '../../database/tables/event-tables.ts';
import { rooms } from '../../database/tables/room-tables.ts';
import type { Poll } from '../state/message-extras.ts';
import type { CheckedPoll } from './poll-draft.ts';
import type { Ballot, VotedPoll } from './vote-tally.ts';

type PollRow = typeof polls.$inferSelect;

/** A poll whose message's row is locked by the transaction. */
export interface LockedPoll extends VotedPoll {
  readonly row: PollRow;
  readonly authorId: string;
  /** Its time is over, by Postgres' clock. It may not have been closed yet. */
  readonly isDue: boolean;
}

/** People of an option that are shown. */
const shownMax = 20;

const idList = (ids: readonly string[]) => sql`${`{${ids.join(',')}}`}::uuid[]`;
const numberList = (numbers: readonly number[]) => sql`${`{${numbers.join(',')}}`}::bigint[]`;

// ── Polls ──

export async function insertPoll(
  tx: Transaction,
  { roomId, messageId }: { readonly roomId: string; readonly messageId: string },
  {
    question,
    options,
    multiple,
    anonymous,
    closesAt = null,
  }: Omit<CheckedPoll, 'closesAt'> & { closesAt?: Date | null },
): Promise<void> {
  await tx.insert(polls).values({ roomId, messageId, question, options: [...options], multiple, anonymous, closesAt });
}

/** By Postgres' clock. */
export async function compareWithNow(
  tx: Transaction,
  time: Date,
  withinMs: number,
): Promise<'past' | 'in time' | 'too late'> {
  const [row] = await tx.execute<{ place: 'past' | 'in time' | 'too late' }>(sql`
    select case when t.at <= clock_timestamp() then 'past'
      when t.at > clock_timestamp() + ${withinMs} * interval '1 millisecond' then 'too late' else 'in time' end as place
    from (select ${time.toISOString()}::timestamptz as at) t`);
  return row!.place;
}

/** The polls of these messages, by message. Locks the rows of the messages: a deletion waits, or has happened before. */
export async function lockPolls(
  tx: Transaction,
  roomId: string,
  messageIds: readonly string[],
): Promise<Map<string, LockedPoll>> {
  const ofMessages = inArray(events.messageId, [...messageIds]);
  const messages = await tx
    .select({ messageId: events.messageId, authorId: events.actorId, seq: events.seq, deletedAt: events.deletedAt })
    .from(events)
    .where(and(ofMessages, eq(events.type, 'message.created'), eq(events.roomId, roomId)))
    .orderBy(events.seq)
    .for('update');
  const found = await tx
    .select({ row: polls, isDue: sql<boolean>`coalesce(${polls.closesAt} <= clock_timestamp(), false)` })
    .from(polls)
    .where(inArray(polls.messageId, [...messageIds]));
  const byMessage = new Map(found.map((poll) => [poll.row.messageId, poll]));
  return new Map(
    messages.flatMap(({ messageId, authorId, seq, deletedAt }) => {
      const poll = byMessage.get(messageId!);
      if (!poll) return [];
      const { row, isDue } = poll;
      const isClosed = isDue || row.closedAt !== null;
      const checked = { optionCount: row.options.length, multiple: row.multiple, isDeleted: deletedAt !== null };
      return [[messageId!, { row, authorId: authorId!, seq, isDue, isClosed, ...checked }] as const];
    }),
  );
}

/** The polls as everybody sees them, by message. */
export async function readPolls(db: Database | Transaction, messageIds: readonly string[]): Promise<Map<string, Poll>> {
  const rows = await db
    .select()
    .from(polls)
    .where(inArray(polls.messageId, [...messageIds]));
  if (rows.length === 0) return new Map();
  const counts = await db.execute<{ messageId: string; option: number; count: number; userIds: string[] | null }>(sql`
    select p.message_id as "messageId", o.option, c.count, u.ids as "userIds" from polls p
    cross join generate_series(0, cardinality(p.options) - 1) as o(option)
    cross join lateral (
      select count(*)::int as count from poll_votes v where v.message_id = p.message_id and v.option = o.option
    ) c
    left join lateral (
      select coalesce(json_agg(f.user_id), '[]') as ids from (
        select v.user_id from poll_votes v where v.message_id = p.message_id and v.option = o.option
        order by v.seq, v.user_id limit ${shownMax}
      ) f
    ) u on not p.anonymous
    where p.message_id = any(${idList(messageIds)}) order by o.option`);
  const results = Map.groupBy(counts, ({ messageId }) => messageId);
  return new Map(rows.map((row) => [row.messageId, toPoll(row, results.get(row.messageId) ?? [])]));
}

function toPoll(row: PollRow, results: readonly { count: number; userIds: string[] | null }[]): Poll {
  const { question, options, multiple, anonymous, closesAt, closedAt } = row;
  return {
    ...{ question, options, multiple, anonymous },
    closesAt: closesAt?.toISOString() ?? null,
    closedAt: closedAt?.toISOString() ?? null,
    results: results.map(({ count, userIds }) => (userIds === null ? { count } : { count, userIds })),
  };
}

/** Closes a poll, at the time for which it was planned if that has come. */
export async function closePoll(tx: Transaction, messageId: string): Promise<void> {
  await tx
    .update(polls)
    .set({ closedAt: sql`date_trunc('milliseconds', least(clock_timestamp(), ${polls.closesAt}))` })
    .where(eq(polls.messageId, messageId));
}

/** Polls whose time is over and that are still open, the oldest first. */
export async function findDuePolls(db: Database, limit: number): Promise<{ roomId: string; messageId: string }[]> {
  return db
    .select({ roomId: polls.roomId, messageId: polls.messageId })
    .from(polls)
    .innerJoin(events, and(eq(events.messageId, polls.messageId), eq(events.type, 'message.created')))
    .innerJoin(rooms, eq(rooms.id, polls.roomId))
    .where(
      sql`${polls.closedAt} is null and ${polls.closesAt} is not null and ${polls.closesAt} <= clock_timestamp()
        and ${events.deletedAt} is null and ${rooms.deletedAt} is null`,
    )
    .orderBy(polls.closesAt)
    .limit(limit);
}

/** The seq of the newest event of a poll. */
export async function findUpdateSeq(
  tx: Transaction,
  { roomId, messageId }: { readonly roomId: string; readonly messageId: string },
): Promise<number> {
  const [row] = await tx
    .select({ seq: sql<number>`coalesce(max(${events.seq}), 0)`.mapWith(Number) })
    .from(events)
    .where(and(eq(events.roomId, roomId), eq(events.messageId, messageId), eq(events.type, 'poll.updated')));
  return row!.seq;
}

/** Deletes polls for good, also from the events that showed them. */
export async function deletePolls(tx: Transaction, messageIds: readonly string[]): Promise<void> {
  const deleted = await tx
    .select({ id: polls.messageId })
    .from(polls)
    .where(inArray(polls.messageId, [...messageIds]));
  if (deleted.length > 0)
    await tx.execute(sql`
      update events e set data = case when e.type = 'poll.updated' then e.data - 'poll' else e.data #- '{shown,poll}' end
      from events m where m.message_id = any(${idList(deleted.map(({ id }) => id))}) and m.type = 'message.created'
        and e.room_id = m.room_id and e.seq > m.seq and e.message_id = m.message_id
        and e.type in ('poll.updated', 'message.updated') and e.data is not null`);
  await tx.delete(pollVotes).where(inArray(pollVotes.messageId, [...messageIds]));
  await tx.delete(polls).where(inArray(polls.messageId, [...messageIds]));
}

// ── Votes ──

/** The ballots of these people in these polls. Who has not voted is absent. */
export async function readBallots(
  db: Database | Transaction,
  places: readonly Pick<Ballot, 'messageId' | 'userId'>[],
): Promise<Ballot[]> {
  const rows = await db.execute<{ messageId: string; userId: string; options: number[]; seq: string }>(sql`
    select v.message_id as "messageId", v.user_id as "userId", json_agg(v.option order by v.option) as options, max(v.seq) as seq
    from (select distinct * from unnest(${idList(places.map(({ messageId }) => messageId))}, ${idList(places.map(({ userId }) => userId))})
      as p(message_id, user_id)) p
    join poll_votes v on v.message_id = p.message_id and v.user_id = p.user_id
    group by v.message_id, v.user_id`);
  return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
}

/** Replaces what these people have voted in these polls. */
export async function storeBallots(tx: Transaction, roomId: string, ballots: readonly Ballot[]): Promise<void> {
  await tx.execute(sql`
    delete from poll_votes v using unnest(${idList(ballots.map(({ messageId }) => messageId))}, ${idList(ballots.map(({ userId }) => userId))})
      as p(message_id, user_id)
    where v.message_id = p.message_id and v.user_id = p.user_id`);
  const votes = ballots.flatMap(({ options, ...ballot }) => options.map((option) => ({ ...ballot, option })));
  if (votes.length === 0) return;
  await tx.execute(sql`
    insert into poll_votes (room_id, message_id, option, user_id, seq)
    select ${roomId}::uuid, v.* from unnest(${idList(votes.map(({ messageId }) => messageId))}, ${numberList(votes.map(({ option }) => option))}::int[],
      ${idList(votes.map(({ userId }) => userId))}, ${numberList(votes.map(({ seq }) => seq))}) as v(message_id, option, user_id, seq)`);
}

// ── Personal data ──

/** The rooms where the user has voted. */
export async function findVotedRooms(db: Database, userId: string): Promise<string[]> {
  const rows = await db
    .selectDistinct({ roomId: pollVotes.roomId })
    .from(pollVotes)
    .where(eq(pollVotes.userId, userId));
  return rows.map(({ roomId }) => roomId);
}

/** Some of the polls of a room where the user has voted. */
export async function findVotedPolls(
  tx: Transaction,
  { roomId, userId, limit }: { readonly roomId: string; readonly userId: string; readonly limit: number },
): Promise<string[]> {
  const rows = await tx
    .selectDistinct({ messageId: pollVotes.messageId })
    .from(pollVotes)
    .where(and(eq(pollVotes.userId, userId), eq(pollVotes.roomId, roomId)))
    .limit(limit);
  return rows.map(({ messageId }) => messageId);
}

export async function deleteVotes(tx: Transaction, userId: string, messageIds: readonly string[]): Promise<void> {
  await tx.delete(pollVotes).where(and(eq(pollVotes.userId, userId), inArray(pollVotes.messageId, [...messageIds])));
}

/** What the user has voted, by message. */
export async function exportVotes(db: Database, userId: string, after: string, limit: number) {
  const rows = await db.execute<{ messageId: string; roomId: string; options: number[] }>(sql`
    select message_id as "messageId", room_id as "roomId", json_agg(option order by option) as options from poll_votes
    where user_id = ${userId} and message_id > ${after} group by message_id, room_id order by message_id limit ${limit}`);
  return [...rows];
}

/** The polls that the user has started, by message. */
export async function exportPolls(db: Database, userId: string, after: string, limit: number) {
  return db
    .select({
      messageId: polls.messageId,
      roomId: polls.roomId,
      question: polls.question,
      options: polls.options,
      closesAt: polls.closesAt,
      closedAt: polls.closedAt,
    })
    .from(polls)
    .innerJoin(events, and(eq(events.messageId, polls.messageId), eq(events.type, 'message.created')))
    .where(and(eq(events.actorId, userId), sql`${polls.messageId} > ${after}`))
    .orderBy(polls.messageId)
    .limit(limit);
}
