/** The transaction that stores a batch of reactions: reads what decides about them, and writes what comes of it. */
import type { Transaction } from '../../database/connect.ts';
import type { DraftEvent } from '../events/event-log.ts';
import type { PlanBatch } from '../events/room-batches.ts';
import { hasMark } from '../state/message-marks.ts';
import type { RecordAct } from '../state/moderator-acts.ts';
import { decideReactions, type ReactionChange } from './reaction-batch.ts';
import {
  countPeople,
  deleteReactions,
  findEmojis,
  findReactions,
  lockMessages,
  markReacted,
  storeReactions,
} from './reaction-repository.ts';

export interface ReactionPlanOptions {
  /** Postgres' clock. */
  readonly nowMs: () => number;
  readonly recordAct: RecordAct;
  /** Different reactions of a message. */
  readonly reactionsMax: number;
}

export function createReactionPlan({ nowMs, recordAct, reactionsMax }: ReactionPlanOptions): PlanBatch<ReactionChange> {
  return async ({ tx, state, nextSeq }, changes) => {
    if (changes.length === 0) return { events: [], outcomes: [] };
    const roomId = state.settings.id;
    const messageIds = [...new Set(changes.map(({ messageId }) => messageId))];
    // One way to Postgres and back for all four; they run in this order.
    const [messages, stored, people, emojis] = await Promise.all([
      lockMessages(tx, roomId, messageIds),
      findReactions(tx, changes),
      countPeople(tx, changes, changes.length + 1),
      findEmojis(tx, messageIds),
    ]);
    const view = { state, nowMs: nowMs(), nextSeq, reactionsMax, messages, stored, people, emojis };
    const { outcomes, happened, added, removed } = decideReactions(view, changes);
    await deleteReactions(tx, removed);
    await storeReactions(tx, roomId, added);
    const unmarked = messages.filter(({ marks }) => !hasMark(marks, 'reactions')).map(({ id }) => id);
    await markReacted(
      tx,
      roomId,
      unmarked.filter((id) => added.some(({ messageId }) => messageId === id)),
    );
    for (const change of happened) await recordRemoval(tx, roomId, change);
    return { events: happened.map(toEvent), outcomes };
  };

  async function recordRemoval(
    tx: Transaction,
    roomId: string,
    { actor, userId, messageId, emoji }: ReactionChange,
  ): Promise<void> {
    if (userId === actor.userId) return;
    const act = { action: 'reaction.remove', actorId: actor.userId, roomId, targetId: userId };
    await recordAct(tx, { ...act, details: { messageId, emoji } });
  }
}

function toEvent({ kind, actor, messageId, emoji, userId }: ReactionChange): DraftEvent {
  const byOther = userId === actor.userId ? {} : { by: actor.userId };
  return {
    type: kind === 'add' ? 'reaction.added' : 'reaction.removed',
    actorId: actor.userId,
    messageId,
    data: { messageId, emoji, userId, ...byOther },
  };
}
