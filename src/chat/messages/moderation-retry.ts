/**
 * Judges later what nobody judged in time. Held back (`pending`): delivered when the verdict allows it, else its author is
 * told. Delivered unjudged (`open`): gets its rendered form, or is taken away. Every instance works at it; a message that
 * an instance was lost with is claimed by another.
 */
import { and, eq } from 'drizzle-orm';
import type { Logger } from 'pino';
import { events } from '../../database/tables/event-tables.ts';
import { Failure } from '../../errors.ts';
import type { Judge, Verdict } from '../../processing/client/processing-client.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Contact } from '../membership/contact.ts';
import { unknownProfile } from '../state/message-shape.ts';
import type { RoomState } from '../state/room-state.ts';
import type { Flag, RecordRefusal } from '../state/verdict-records.ts';
import { type FlagPolicy, recordFlag } from './flag-entries.ts';
import type { MentionLookup } from './mentioned-members.ts';
import { withdraw } from './message-removal.ts';
import type { ModerationRetryStore, Unmoderated } from './moderation-retry-store.ts';

export interface ModerationRetryOptions {
  readonly store: ModerationRetryStore;
  readonly judge: Judge;
  readonly eventLog: EventLog;
  readonly profiles: Profiles;
  readonly contact: Contact;
  readonly findMentioned: MentionLookup;
  readonly findFeed: (roomId: string) => Promise<Feed<RoomState> | undefined>;
  /** A frame to all connections of a user. */
  readonly signalUser: (userId: string, json: string) => void;
  readonly flags: FlagPolicy;
  readonly recordRefusal: RecordRefusal;
  readonly logger: Logger;
  readonly pollMs: number;
}

/** Refusals after which trying again may help. */
const passing = new Set(['unavailable', 'outcome_unknown', 'slow_mode', 'rate_limited', 'internal']);

export function startModerationRetry(options: ModerationRetryOptions): { readonly stop: () => Promise<void> } {
  const { store, judge, eventLog, profiles, flags, logger } = options;

  /** @returns whether there may be more to do at once */
  async function round(): Promise<boolean> {
    const claimed = await store.claim();
    const done = await Promise.all(
      claimed.map(async (item) => {
        try {
          await settle(item);
          await store.remove(item.messageId);
          return true;
        } catch (error) {
          const again = !(error instanceof Failure) || passing.has(error.code);
          if (!again) tell(item, (error as Failure).code, 'your message could not be delivered', {});
          await (again ? store.release(item.messageId) : store.remove(item.messageId));
          return !again;
        }
      }),
    );
    return done.some(Boolean);
  }

  async function settle(item: Unmoderated): Promise<void> {
    const { messageId, roomId, authorId, text } = item;
    const draft = { key: messageId, text, kind: 'message' as const, roomId, senderId: authorId };
    const verdict = await judge(draft);
    if (verdict.outcome === 'block') {
      if (item.mode === 'open') await takeAway(item);
      await options.recordRefusal({ roomId, authorId, kind: 'message', verdict });
      tell(item, 'message_blocked', 'this message was refused by moderation', { labels: verdict.labels });
      return;
    }
    const settleAs = item.mode === 'pending' ? deliver : complete;
    await flags.commit(item, verdict, (flag) => settleAs(item, verdict, flag));
  }

  /** By the same key as it was sent with: it is appended once, also when this is done twice. */
  async function deliver(item: Unmoderated, verdict: Verdict, flag: Flag | undefined): Promise<void> {
    const { messageId, roomId, authorId, clientId, digest, text, replyTo } = item;
    const feed = await options.findFeed(roomId);
    if (!feed) throw new Failure('not_found', 'no such room');
    await options.contact.requireConversation(feed.state, authorId);
    const people = await profiles.byIds([authorId]);
    await eventLog.send(feed, {
      actor: { userId: authorId, role: item.authorRole },
      sessionId: undefined,
      sender: people.get(authorId) ?? unknownProfile(authorId),
      ...{ messageId, clientId, digest, text, replyTo, allowedAt: feed.position },
      ...(await options.findMentioned(feed.state, verdict, authorId)),
      flag,
    });
  }

  /** What was shown as plain text gets its rendered form, unless it was edited or deleted meanwhile. */
  async function complete(item: Unmoderated, verdict: Verdict, flag: Flag | undefined): Promise<void> {
    const { messageId, roomId, authorId } = item;
    await eventLog.transact(roomId, async ({ tx, state }) => {
      const [row] = await tx
        .select()
        .from(events)
        .where(and(eq(events.messageId, messageId), eq(events.type, 'message.created'), eq(events.roomId, roomId)))
        .for('update');
      if (!row && !item.old) throw new Failure('unavailable', 'the message is not there yet');
      if (!row || row.deletedAt !== null || row.editedAt !== null || row.text !== item.text)
        return { events: [], answer: undefined };
      const found = await options.findMentioned(state, verdict, authorId);
      await tx
        .update(events)
        .set(found)
        .where(and(eq(events.roomId, roomId), eq(events.seq, row.seq)));
      if (flag) await recordFlag(tx, { roomId, messageId, authorId }, flag);
      // No new version: the one that is there, as it looks now.
      const data = { versionSeq: row.seq, editedAt: null };
      return { events: [{ type: 'message.updated', actorId: authorId, messageId, data }], answer: undefined };
    });
  }

  async function takeAway({ messageId, roomId, authorId, old }: Unmoderated): Promise<void> {
    await eventLog.transact(roomId, async (context) => {
      const gone = await withdraw(context, { roomId, messageId }, authorId);
      if (gone.length === 0 && !old) {
        const [row] = await context.tx.select().from(events).where(eq(events.messageId, messageId)).limit(1);
        if (!row) throw new Failure('unavailable', 'the message is not there yet');
      }
      return { events: gone, answer: undefined };
    });
  }

  function tell(item: Unmoderated, code: string, message: string, details: Record<string, unknown>): void {
    const { roomId, clientId, messageId } = item;
    const notice = { type: 'notice', code, message, roomId, clientId, messageId, ...details };
    options.signalUser(item.authorId, JSON.stringify(notice));
  }

  let working: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    working ??= (async () => {
      while (await round());
    })()
      .catch((error: unknown) => logger.debug({ error }, 'unjudged messages could not be read'))
      .finally(() => {
        working = undefined;
      });
  }, options.pollMs);

  return {
    stop: async () => {
      clearInterval(timer);
      await working;
    },
  };
}
