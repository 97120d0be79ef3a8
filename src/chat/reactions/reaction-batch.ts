/**
 * Decides about a batch of reactions to messages of one room, one after the other, as if each had a transaction of its own:
 * a refusal of one does not refuse the others. `reaction-plan.ts` reads what it needs and stores what comes of it.
 */
import { Failure } from '../../errors.ts';
import type { ChangeOutcome } from '../events/room-batches.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { ReactedMessage, ReactionKey, StoredReaction } from './reaction-repository.ts';

export interface ReactionChange extends ReactionKey {
  readonly kind: 'add' | 'remove';
  /** `userId` is somebody else only if a moderator removes a reaction. */
  readonly actor: Actor;
}

/** The room and its reactions before the batch. */
export interface ReactionView {
  readonly state: RoomState;
  /** Postgres' clock. */
  readonly nowMs: number;
  readonly nextSeq: number;
  /** Different reactions of a message. */
  readonly reactionsMax: number;
  /** The messages that the changes name, as far as they exist. */
  readonly messages: readonly ReactedMessage[];
  /** Those of the changes' keys that exist. */
  readonly stored: readonly StoredReaction[];
  /** How many people have each of the changes' reactions; exact up to one more than there are changes. */
  readonly people: readonly { readonly messageId: string; readonly emoji: string; readonly people: number }[];
  /** All reactions of these messages. */
  readonly emojis: readonly { readonly messageId: string; readonly emoji: string }[];
}

export interface DecidedBatch {
  /** The seq that holds each change, or why it was refused. */
  readonly outcomes: readonly ChangeOutcome[];
  /** The changes that happened, in order: they get the seqs from `nextSeq` on. */
  readonly happened: readonly ReactionChange[];
  /** What differs from before, when all have happened. */
  readonly added: readonly StoredReaction[];
  readonly removed: readonly ReactionKey[];
}

/** Ids and emoji hold no space. */
const keyOf = ({ messageId, emoji, userId }: ReactionKey) => `${messageId} ${emoji} ${userId}`;
const pairOf = ({ messageId, emoji }: Pick<ReactionKey, 'messageId' | 'emoji'>) => `${messageId} ${emoji}`;

export function decideReactions(view: ReactionView, changes: readonly ReactionChange[]): DecidedBatch {
  const { state, nowMs, nextSeq, reactionsMax } = view;
  const messages = new Map(view.messages.map((message) => [message.id, message]));
  const before = new Map(view.stored.map((each) => [keyOf(each), each.seq]));
  const seqs = new Map(before);
  const people = new Map(view.people.map((each) => [pairOf(each), each.people]));
  const emojis = Map.groupBy(view.emojis, ({ messageId }) => messageId);
  const emojisOf = new Map([...emojis].map(([id, found]) => [id, new Set(found.map(({ emoji }) => emoji))]));
  const happened: ReactionChange[] = [];

  function decide(change: ReactionChange): number {
    requireChange(state, change, messages.get(change.messageId), nowMs);
    return change.kind === 'add' ? add(change) : remove(change);
  }

  function add(change: ReactionChange): number {
    const known = seqs.get(keyOf(change));
    if (known !== undefined) return known;
    const different = emojisOf.get(change.messageId) ?? new Set();
    if (!different.has(change.emoji) && different.size >= reactionsMax)
      throw new Failure('conflict', `at most ${reactionsMax} different reactions to a message`);
    emojisOf.set(change.messageId, different.add(change.emoji));
    people.set(pairOf(change), (people.get(pairOf(change)) ?? 0) + 1);
    const seq = happen(change);
    seqs.set(keyOf(change), seq);
    return seq;
  }

  /** @returns for a reaction that is not there: the newest seq, as of which it is not there */
  function remove(change: ReactionChange): number {
    if (!seqs.delete(keyOf(change))) return nextSeq + happened.length - 1;
    const left = people.get(pairOf(change))! - 1;
    people.set(pairOf(change), left);
    if (left === 0) emojisOf.get(change.messageId)!.delete(change.emoji);
    return happen(change);
  }

  function happen(change: ReactionChange): number {
    return nextSeq + happened.push(change) - 1;
  }

  const outcomes = changes.map((change) => outcomeOf(() => decide(change)));
  return { outcomes, happened, ...differences(happened, before, seqs) };
}

function outcomeOf(decide: () => number): ChangeOutcome {
  try {
    return decide();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}

/** @throws Failure `not_found`, `forbidden`, `muted` */
function requireChange(
  state: RoomState,
  { kind, actor, userId }: ReactionChange,
  message: ReactedMessage | undefined,
  nowMs: number,
): void {
  state.require(actor, userId === actor.userId ? 'react' : 'delete_any');
  if (!message || message.deleted || message.seq < state.firstReadable(actor))
    throw new Failure('not_found', 'no such message');
  // Taking one's own reaction back says nothing, so muted members may, as they may delete their messages.
  if (kind === 'add') state.requireUnmuted(actor.userId, nowMs);
}

function differences(
  happened: readonly ReactionChange[],
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Pick<DecidedBatch, 'added' | 'removed'> {
  const keys = [...new Map(happened.map((change) => [keyOf(change), change])).entries()];
  return {
    added: keys.flatMap(([key, { messageId, emoji, userId }]) =>
      after.has(key) ? [{ messageId, emoji, userId, seq: after.get(key)! }] : [],
    ),
    removed: keys.flatMap(([key, { messageId, emoji, userId }]) =>
      before.has(key) && !after.has(key) ? [{ messageId, emoji, userId }] : [],
    ),
  };
}
