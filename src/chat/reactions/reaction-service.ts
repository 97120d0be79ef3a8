/** Reactions: adding and removing them, and the people behind them. */
import type { Database } from '../../database/connect.ts';
import { Failure, invalid } from '../../errors.ts';
import { type RateCounters, requireRate } from '../../http/limits/rate-counters.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { EventLog } from '../events/event-log.ts';
import { createRoomBatches, type RoomBatchesSettings } from '../events/room-batches.ts';
import type { Contact } from '../membership/contact.ts';
import { SendOrder } from '../messages/send-order.ts';
import { unknownProfile } from '../state/message-shape.ts';
import type { RecordAct } from '../state/moderator-acts.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { ReactionChange } from './reaction-batch.ts';
import { readEmoji } from './reaction-emoji.ts';
import { createReactionPlan } from './reaction-plan.ts';
import { findReacted, readPeople } from './reaction-repository.ts';

export interface ReactionTarget {
  readonly roomId: string;
  readonly messageId: string;
  /** As the client wrote it. */
  readonly emoji: string;
}

export interface ReactedPerson {
  readonly user: PublicProfile;
  /** RFC 3339. */
  readonly at: string;
  /** Of the reaction's event. */
  readonly seq: number;
}

export interface ReactionService {
  /**
   * @returns the seq of its event; of the first one if the reaction was there already
   * @throws Failure `invalid`, `not_found`, `forbidden`, `banned`, `muted`, `conflict`, `rate_limited`, `unavailable`
   */
  readonly add: (actor: Actor, target: ReactionTarget) => Promise<{ seq: number }>;
  /**
   * @param userId whose reaction; moderators may remove those of others
   * @returns the seq of its event; if the reaction was not there, the newest seq of the room
   */
  readonly remove: (actor: Actor, target: ReactionTarget, userId?: string) => Promise<{ seq: number }>;
  /** The people who reacted, the first one first, after a seq. */
  readonly people: (
    actor: Actor,
    target: ReactionTarget,
    page: { readonly after: number; readonly limit: number },
  ) => Promise<ReactedPerson[]>;
}

export interface ReactionServiceOptions {
  readonly db: Database;
  readonly eventLog: Pick<EventLog, 'transact' | 'nowMs'>;
  /** A room at its head as of now, for somebody who may read it. @throws Failure `not_found`, `banned` */
  readonly followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
  readonly contact: Pick<Contact, 'requireConversation'>;
  /** Whether there is a custom emoji of this name. */
  readonly hasCustomEmoji: (name: string) => Promise<boolean>;
  readonly profiles: Pick<Profiles, 'byIds'>;
  readonly recordAct: RecordAct;
  readonly counters: RateCounters;
  readonly settings: RoomBatchesSettings & {
    /** Different reactions of a message. */
    readonly reactionsMax: number;
    /** Changes per minute and user. */
    readonly perMinute: number;
  };
}

const minuteMs = 60_000;

export function createReactionService(options: ReactionServiceOptions): ReactionService {
  const { db, eventLog, followToRead, contact, hasCustomEmoji, profiles, counters, settings } = options;
  const { nowMs } = eventLog;
  const { recordAct } = options;
  const plan = createReactionPlan({ nowMs, recordAct, reactionsMax: settings.reactionsMax });
  const batches = createRoomBatches<ReactionChange>({ eventLog, plan, settings });
  /** A user's changes in a room keep their order, although they are checked side by side. */
  const order = new SendOrder();

  /** @param check what is left to find out besides the right to react, which the transaction checks again */
  async function change(roomId: string, wanted: ReactionChange, check: () => Promise<void>): Promise<{ seq: number }> {
    const { actor } = wanted;
    const place = order.enter(`${actor.userId} ${roomId}`);
    let stored: Promise<{ seq: number }>;
    try {
      await Promise.all([requireChange(roomId, wanted), check(), countChange(actor)]);
      await place.untilFirst();
      stored = batches.add(roomId, wanted);
    } finally {
      place.leave();
    }
    return stored;
  }

  async function requireChange(roomId: string, { actor, userId, kind }: ReactionChange): Promise<void> {
    const { state } = await followToRead(actor, roomId);
    state.require(actor, userId === actor.userId ? 'react' : 'delete_any');
    // A reaction reaches the other person just as a message would.
    if (kind === 'add') await contact.requireConversation(state, actor.userId);
  }

  function countChange({ userId }: Actor): Promise<void> {
    const window = { max: settings.perMinute, windowMs: minuteMs };
    return requireRate(counters, `reactions ${userId}`, window, 'too many reactions');
  }

  async function requireCustom(name: string | undefined): Promise<void> {
    if (name !== undefined && !(await hasCustomEmoji(name))) throw invalid('/emoji', 'no custom emoji of this name');
  }

  async function add(actor: Actor, { roomId, messageId, emoji: text }: ReactionTarget): Promise<{ seq: number }> {
    const { emoji, customName } = readEmoji(text);
    const wanted = { kind: 'add', actor, userId: actor.userId, messageId, emoji } as const;
    return change(roomId, wanted, () => requireCustom(customName));
  }

  /** Custom emoji that were deleted can still be taken back. */
  async function remove(
    actor: Actor,
    { roomId, messageId, emoji: text }: ReactionTarget,
    userId: string = actor.userId,
  ): Promise<{ seq: number }> {
    const { emoji } = readEmoji(text);
    return change(roomId, { kind: 'remove', actor, userId, messageId, emoji }, async () => {});
  }

  async function people(
    actor: Actor,
    { roomId, messageId, emoji: text }: ReactionTarget,
    { after, limit }: { readonly after: number; readonly limit: number },
  ): Promise<ReactedPerson[]> {
    const { emoji } = readEmoji(text);
    const feed = await followToRead(actor, roomId);
    const message = await findReacted(db, { roomId, messageId });
    if (!message || message.seq < feed.state.firstReadable(actor)) throw new Failure('not_found', 'no such message');
    // The right to read was checked up to this position.
    const found = await readPeople(db, { messageId, emoji }, { after, to: feed.position, limit });
    const known = await profiles.byIds(found.map(({ userId }) => userId));
    return found.map(({ userId, seq, at }) => ({ user: known.get(userId) ?? unknownProfile(userId), at, seq }));
  }

  return { add, remove, people };
}
