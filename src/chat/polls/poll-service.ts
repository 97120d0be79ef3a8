/** Votes in polls, and the end of polls: by their author or a moderator, or when their time is over. */
import type { Logger } from 'pino';
import { type Poller, startPoller } from '../../concurrency/poller.ts';
import type { Database } from '../../database/connect.ts';
import { readAfterCommit } from '../../database/database-errors.ts';
import { Failure } from '../../errors.ts';
import { type RateCounters, requireRate } from '../../http/limits/rate-counters.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { AppendContext, AppendPlan, EventLog } from '../events/event-log.ts';
import { createRoomBatches, type RoomBatchesSettings } from '../events/room-batches.ts';
import { type Contact, isPair } from '../membership/contact.ts';
import { SendOrder } from '../messages/send-order.ts';
import type { Poll } from '../state/message-extras.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import { closePoll, findDuePolls, findUpdateSeq, lockPolls, readBallots, readPolls } from './poll-repository.ts';
import { planVotes, pollEvents } from './vote-plan.ts';
import { requirePoll, type Vote } from './vote-tally.ts';

export interface PollPlace {
  readonly roomId: string;
  readonly messageId: string;
}

export interface PollService {
  /**
   * Replaces what the actor has voted.
   * @param options indexes; none takes the vote back
   * @returns the seq of the event that shows it; of the earlier one when nothing changes
   */
  readonly vote: (actor: Actor, place: PollPlace, options: readonly number[]) => Promise<{ seq: number }>;
  /** @returns the seq of the event; of the earlier one when the poll was closed before */
  readonly close: (actor: Actor, place: PollPlace) => Promise<{ seq: number }>;
  /** The poll with the actor's own vote, as of now. @throws Failure `not_found` */
  readonly find: (actor: Actor, place: PollPlace) => Promise<Poll>;
  readonly stop: () => void;
}

export interface PollServiceOptions {
  readonly db: Database;
  readonly eventLog: Pick<EventLog, 'transact' | 'nowMs'>;
  /** A room at its head as of now, for somebody who may read there. @throws Failure `not_found`, `banned` */
  readonly followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
  readonly contact: Pick<Contact, 'requireConversation'>;
  readonly counters: RateCounters;
  readonly logger: Logger;
  readonly settings: RoomBatchesSettings & {
    /** Votes of one user. */
    readonly perMinute: number;
    /** Milliseconds between two looks for polls whose time is over. */
    readonly closeCheck: number;
  };
}

const minuteMs = 60_000;
/** Polls that are closed at one look. */
const dueMax = 100;

export function startPollService(options: PollServiceOptions): PollService {
  const { db, eventLog, followToRead, contact, counters, settings } = options;
  const votes = createRoomBatches<Vote>({ eventLog, plan: planVotes, settings });
  /** A user's votes in a room keep their order, although they are checked side by side. */
  const order = new SendOrder();
  const closing = startClosing(options);

  return {
    vote: async (actor, { roomId, messageId }, chosen) => {
      const place = order.enter(`${actor.userId} ${roomId}`);
      let stored: Promise<{ seq: number }>;
      try {
        const { state } = await followToRead(actor, roomId);
        state.require(actor, 'vote');
        // Taking a vote back says nothing.
        if (chosen.length > 0) state.requireUnmuted(actor.userId, eventLog.nowMs());
        if (isPair(state)) await contact.requireConversation(state, actor.userId);
        const window = { max: settings.perMinute, windowMs: minuteMs };
        await requireRate(counters, `votes ${actor.userId}`, window, 'too many votes');
        await place.untilFirst();
        const options = chosen.toSorted((left, right) => left - right);
        stored = votes.add(roomId, { actor, messageId, options });
      } finally {
        place.leave();
      }
      return stored;
    },
    close: async (actor, place) => {
      await followToRead(actor, place.roomId);
      const { answer, seq } = await eventLog.transact(place.roomId, (context) => planClosing(context, place, actor));
      return { seq: answer ?? seq };
    },
    find: async (actor, { messageId }) => {
      const [polls, ballots] = await readAfterCommit(
        Promise.all([readPolls(db, [messageId]), readBallots(db, [{ messageId, userId: actor.userId }])]),
      );
      const poll = polls.get(messageId);
      if (!poll) throw new Failure('not_found', 'no such poll');
      return { ...poll, own: [...(ballots[0]?.options ?? [])] };
    },
    stop: closing.stop,
  };
}

/** @returns the plan; its answer is the seq of the poll's last event if it was closed before */
async function planClosing(
  { tx, state }: AppendContext,
  { roomId, messageId }: PollPlace,
  actor: Actor,
): Promise<AppendPlan<number | undefined>> {
  const poll = (await lockPolls(tx, roomId, [messageId])).get(messageId);
  requirePoll(state, poll, actor);
  state.require(actor, poll.authorId === actor.userId ? 'vote' : 'close_poll');
  if (poll.row.closedAt !== null) return { events: [], answer: await findUpdateSeq(tx, { roomId, messageId }) };
  await closePoll(tx, messageId);
  return { events: await pollEvents(tx, [messageId], () => poll.authorId), answer: undefined };
}

/**
 * Closes polls whose time is over. Votes are refused from that time on; this is how readers learn of it. Every instance
 * looks, and the row of the poll decides which one closes it.
 */
function startClosing({ db, eventLog, logger, settings }: PollServiceOptions): Poller {
  async function planDue({ tx }: AppendContext, { roomId, messageId }: PollPlace): Promise<AppendPlan<undefined>> {
    const poll = (await lockPolls(tx, roomId, [messageId])).get(messageId);
    if (!poll?.isDue || poll.isDeleted || poll.row.closedAt !== null) return { events: [], answer: undefined };
    await closePoll(tx, messageId);
    return { events: await pollEvents(tx, [messageId], () => poll.authorId), answer: undefined };
  }

  async function closeDue(): Promise<void> {
    for (const place of await findDuePolls(db, dueMax))
      await eventLog
        .transact(place.roomId, (context) => planDue(context, place))
        .catch((error: unknown) =>
          logger.warn({ error, messageId: place.messageId }, 'a poll could not be closed yet'),
        );
  }

  return startPoller({
    work: closeDue,
    everyMs: settings.closeCheck,
    onError: (error) => logger.debug({ error }, 'the search for polls to close failed'),
  });
}
