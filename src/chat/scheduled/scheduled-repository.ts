/** SQL of messages that are sent later: the rows that are owed, and who sends them. */
import { and, desc, eq, inArray, ne, sql } from 'drizzle-orm';
import type { Database, Sql, Transaction } from '../../database/connect.ts';
import { addJob } from '../../database/queue.ts';
import { scheduledMessages } from '../../database/tables/conversation-tables.ts';
import type { DeploymentRole } from '../../permissions.ts';
import type { Draft } from '../state/message-draft.ts';

/** What the send holds beside its place and its key. */
export type ScheduledDraft = Omit<Draft, 'roomId' | 'clientId'>;
export type ScheduledState = 'waiting' | 'sending' | 'sent' | 'refused';

export interface Scheduled {
  readonly id: string;
  readonly authorId: string;
  readonly roomId: string;
  readonly clientId: string;
  readonly draft: ScheduledDraft;
  readonly sendAt: Date;
  readonly state: ScheduledState;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly messageId: string | null;
  readonly createdAt: Date;
}

/** A message that this instance is to send now. */
export interface ClaimedMessage
  extends Pick<Scheduled, 'id' | 'authorId' | 'roomId' | 'clientId' | 'draft' | 'sendAt'> {
  /** Names the claim: after it another instance may have taken over. */
  readonly claimedUntil: Date;
  /** The author's deployment role as of now. */
  readonly authorRole: DeploymentRole;
  /** It is due for so long that it is not tried again. */
  readonly isLast: boolean;
  /** An earlier try may have stored it: only a definite answer ends that. */
  readonly maybeSent: boolean;
}

/** How the claim of a message ends. */
export type ClaimEnd =
  | { readonly state: 'sent'; readonly messageId: string }
  | { readonly state: 'refused'; readonly failure: { readonly code: string; readonly message: string } }
  /** `sending`: it may be stored, so its author can no longer change it. */
  | { readonly state: 'waiting' | 'sending'; readonly pauseMs: number };

const toScheduled = (row: typeof scheduledMessages.$inferSelect): Scheduled => ({
  ...row,
  draft: row.draft as ScheduledDraft,
});

const isOwn = (authorId: string, id: string) =>
  and(eq(scheduledMessages.id, id), eq(scheduledMessages.authorId, authorId));

/** Messages of this author that are still to be sent. */
export async function countOwed(tx: Transaction, authorId: string): Promise<number> {
  const isOwed = inArray(scheduledMessages.state, ['waiting', 'sending']);
  return tx.$count(scheduledMessages, and(eq(scheduledMessages.authorId, authorId), isOwed));
}

export async function findByKey(
  tx: Transaction,
  { authorId, roomId, clientId }: Pick<Scheduled, 'authorId' | 'roomId' | 'clientId'>,
): Promise<Scheduled | undefined> {
  const [row] = await tx
    .select()
    .from(scheduledMessages)
    .where(
      and(
        eq(scheduledMessages.authorId, authorId),
        eq(scheduledMessages.roomId, roomId),
        eq(scheduledMessages.clientId, clientId),
      ),
    );
  return row && toScheduled(row);
}

/** Stores the message and wakes a job worker at its time. */
export async function insertScheduled(
  tx: Transaction,
  message: Pick<Scheduled, 'id' | 'authorId' | 'roomId' | 'clientId' | 'draft' | 'sendAt'>,
): Promise<Scheduled> {
  const [row] = await tx
    .insert(scheduledMessages)
    .values({ ...message, draft: { ...message.draft } })
    .returning();
  await wakeAt(tx, message.sendAt);
  return toScheduled(row!);
}

/** The author's message, locked by the transaction. */
export async function lockScheduled(tx: Transaction, authorId: string, id: string): Promise<Scheduled | undefined> {
  const [row] = await tx.select().from(scheduledMessages).where(isOwn(authorId, id)).for('update');
  return row && toScheduled(row);
}

/** Changes a message that is locked, and lets it be sent at its time, however often it was tried or refused before. */
export async function changeScheduled(
  tx: Transaction,
  id: string,
  { draft, sendAt }: Pick<Scheduled, 'draft' | 'sendAt'>,
): Promise<Scheduled> {
  const [row] = await tx
    .update(scheduledMessages)
    .set({ draft: { ...draft }, sendAt, state: 'waiting', failure: null, claimedUntil: null })
    .where(eq(scheduledMessages.id, id))
    .returning();
  await wakeAt(tx, sendAt);
  return toScheduled(row!);
}

export async function deleteScheduled(tx: Transaction, id: string): Promise<void> {
  await tx.delete(scheduledMessages).where(eq(scheduledMessages.id, id));
}

export async function deleteScheduledOf(tx: Transaction, authorId: string): Promise<void> {
  await tx.delete(scheduledMessages).where(eq(scheduledMessages.authorId, authorId));
}

/** In the order in which they are sent. @param state default: all that are not sent */
export async function listScheduled(
  db: Database,
  authorId: string,
  state: ScheduledState | undefined,
): Promise<Scheduled[]> {
  const isWanted = state === undefined ? ne(scheduledMessages.state, 'sent') : eq(scheduledMessages.state, state);
  const order = state === 'sent' ? desc(scheduledMessages.sendAt) : scheduledMessages.sendAt;
  const rows = await db
    .select()
    .from(scheduledMessages)
    .where(and(eq(scheduledMessages.authorId, authorId), isWanted))
    .orderBy(order, scheduledMessages.id)
    .limit(1000);
  return rows.map(toScheduled);
}

export async function exportScheduled(db: Database, authorId: string): Promise<object[]> {
  const rows = await db.select().from(scheduledMessages).where(eq(scheduledMessages.authorId, authorId));
  return rows.map(({ authorId: _author, claimedUntil: _claim, ...row }) => row);
}

/** One job for all messages of the same time. */
async function wakeAt(tx: Transaction, sendAt: Date): Promise<void> {
  const at = sendAt.toISOString();
  await addJob(tx, 'scheduled_messages', {}, { key: `scheduled-messages:${at}`, runAt: sql`${at}::timestamptz` });
}

// ── Sending ──

/**
 * Reserves due messages for this instance: the first one of each author and room, so that they keep their order. A claim
 * that has run out is anybody's.
 */
export async function claimScheduled(
  db: Sql,
  { claimMs, giveUpMs, limit }: { readonly claimMs: number; readonly giveUpMs: number; readonly limit: number },
): Promise<ClaimedMessage[]> {
  const rows = await db<
    {
      id: string;
      author_id: string;
      room_id: string;
      client_id: string;
      draft: ScheduledDraft;
      send_at: Date;
      claimed_until: Date;
      role: DeploymentRole | null;
      is_last: boolean;
      maybe_sent: boolean;
    }[]
  >`
    with due as (
      select s.id, s.state = 'sending' as maybe_sent from scheduled_messages s
      where s.state in ('waiting', 'sending') and s.send_at <= now() and (s.claimed_until is null or s.claimed_until <= now())
        and not exists (select from scheduled_messages p where p.author_id = s.author_id and p.room_id = s.room_id
          and p.state in ('waiting', 'sending') and (p.send_at, p.id) < (s.send_at, s.id))
      order by s.send_at, s.id limit ${limit} for update skip locked
    )
    update scheduled_messages s set state = 'sending', claimed_until = clock_timestamp() + ${claimMs} * interval '1 millisecond'
    from due where s.id = due.id
    returning s.id, s.author_id, s.room_id, s.client_id, s.draft, s.send_at, s.claimed_until, due.maybe_sent,
      (select role from users where id = s.author_id and erased_at is null) as role,
      s.send_at < now() - ${giveUpMs} * interval '1 millisecond' as is_last`;
  return rows.map((row) => ({
    id: row.id,
    authorId: row.author_id,
    roomId: row.room_id,
    clientId: row.client_id,
    draft: row.draft,
    sendAt: row.send_at,
    claimedUntil: row.claimed_until,
    authorRole: row.role ?? 'user',
    isLast: row.is_last,
    maybeSent: row.maybe_sent,
  }));
}

/** Ends a claim, unless another instance has taken over. @returns the message as it is now; undefined if this one lost it */
export async function endClaim(
  db: Database,
  { id, claimedUntil }: Pick<ClaimedMessage, 'id' | 'claimedUntil'>,
  end: ClaimEnd,
): Promise<Scheduled | undefined> {
  const pause =
    'pauseMs' in end ? sql`clock_timestamp() + ${end.pauseMs} * interval '1 millisecond'` : sql`null::timestamptz`;
  const [row] = await db
    .update(scheduledMessages)
    .set({
      state: end.state,
      claimedUntil: pause,
      failure: 'failure' in end ? end.failure : null,
      messageId: 'messageId' in end ? end.messageId : null,
    })
    .where(and(eq(scheduledMessages.id, id), eq(scheduledMessages.claimedUntil, claimedUntil)))
    .returning();
  return row && toScheduled(row);
}

/** Deletes messages that were sent or refused long ago. */
export async function forgetFinished(db: Sql, keepMs: number): Promise<void> {
  await db`
    delete from scheduled_messages where state in ('sent', 'refused') and send_at < now() - ${keepMs} * interval '1 millisecond'`;
}
