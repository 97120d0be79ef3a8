/**
 * A message's way through the system: authorise, judge, persist, answer. Fan-out follows the commit inside the event
 * log. Judged before it is stored, so text without a verdict never has a seq and never makes a hole.
 */
import { and, eq, sql } from 'drizzle-orm';
import { readAfterCommit } from '../../database/database-errors.ts';
import { newId } from '../../database/new-id.ts';
import { events, messageEdits } from '../../database/tables/event-tables.ts';
import { clientGone, Failure } from '../../errors.ts';
import { may } from '../../permissions.ts';
import {
  type DraftText,
  type FallbackMode,
  type Judge,
  NoVerdict,
  type Verdict,
} from '../../processing/client/processing-client.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Profiles, PublicProfile } from '../../user/profile/profiles.ts';
import type { AppendContext, EventLog } from '../events/event-log.ts';
import { type Contact, isPair } from '../membership/contact.ts';
import { type Message, unknownProfile } from '../state/message-shape.ts';
import { contentDigest, requireText } from '../state/message-text.ts';
import type { RecordAct } from '../state/moderator-acts.ts';
import type { SendOutcome } from '../state/pending-send.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { RecordRefusal } from '../state/verdict-records.ts';
import { type FlagPolicy, recordFlag } from './flag-entries.ts';
import { type HistoryPages, pageJson } from './history-pages.ts';
import type { MentionLookup } from './mentioned-members.ts';
import { findVersionSeq, forgetRemoved, redact } from './message-removal.ts';
import type { JsonPage, MessageEdit, MessageRepository, Page } from './message-repository.ts';
import type { ModerationRetryStore, UnmoderatedDraft } from './moderation-retry-store.ts';
import { plainHtml } from './plain-html.ts';
import type { SendOrder } from './send-order.ts';
import { createSenderRecords } from './sender-records.ts';

export interface Draft {
  readonly roomId: string;
  readonly clientId: string;
  /** Markdown source. */
  readonly text: string;
  readonly replyTo?: string;
}

/** Who sends, and with which login. */
export interface Sender extends Actor {
  readonly sessionId: string | undefined;
}

export interface MessageService {
  /**
   * Makes one message part of its room's log, or refuses it whole. A crash can delay a live delivery (readers read on
   * by seq) but never lose an acked message or give it two seqs.
   * @param origin the connection that it came by
   * @throws Failure `not_found`, `forbidden`, `muted`, `slow_mode`, `message_blocked`, `conflict`, `unavailable`, `outcome_unknown`
   */
  readonly send: (sender: Sender, draft: Draft, origin: Origin) => Promise<SendOutcome>;
  /** @returns the seq of the edit; of the version already there when nothing changes */
  readonly edit: (sender: Sender, roomId: string, messageId: string, text: string) => Promise<{ seq: number }>;
  /** @returns the seq of the deletion, the first one when it is repeated */
  readonly remove: (sender: Sender, roomId: string, messageId: string) => Promise<{ seq: number }>;
  /** A message that its author just sent: they see it, whatever they may do by now. */
  readonly findStored: (roomId: string, messageId: string) => Promise<Message>;
  readonly find: (actor: Actor, roomId: string, messageId: string) => Promise<Message>;
  /** The same for an act that is on record, such as a report: staff acts on what it was told of, also where it may not read. */
  readonly findToActOn: (actor: Actor, roomId: string, messageId: string) => Promise<Message>;
  /** @returns the JSON of a `MessagePage`, in seq order */
  readonly history: (actor: Actor, roomId: string, range: HistoryRange) => Promise<Buffer>;
  readonly replies: (actor: Actor, roomId: string, messageId: string, after: number, limit: number) => Promise<Page>;
  /** Earlier versions, from number `from` on. */
  readonly edits: (
    actor: Actor,
    roomId: string,
    messageId: string,
    from: number,
    limit: number,
  ) => Promise<MessageEdit[]>;
}

/** At most one of the three; none means the newest. */
export interface HistoryRange {
  readonly before?: number;
  readonly after?: number;
  readonly around?: number;
  readonly limit: number;
}

/** The connection that a send came by. */
export interface Origin {
  /** Its messages to a room keep their order. */
  readonly order: SendOrder;
  /** Whether somebody still waits for the answer, as far as is known. */
  readonly isOpen: () => boolean;
}

/** The key had been used: there is nothing left to append. */
interface Repeated {
  readonly repeat: SendOutcome;
}

interface Prepared {
  readonly feed: Feed<RoomState>;
  readonly allowedAt: number;
  readonly sender: PublicProfile;
  readonly verdict: Verdict;
  readonly text: string;
  readonly mentions: string[];
  readonly html: string;
  readonly digest: bigint;
  readonly repeat?: undefined;
}

export function createMessageService({
  judge,
  eventLog,
  repository,
  pages,
  profiles,
  follow,
  followToRead,
  findFeed,
  loadedFeed,
  contact,
  findMentioned,
  flags,
  recordRefusal,
  recordAct,
  unjudged,
  settings,
}: {
  judge: Judge;
  eventLog: EventLog;
  repository: MessageRepository;
  pages: HistoryPages;
  profiles: Profiles;
  /** A room at its head as of now. */
  follow: (roomId: string) => Promise<Feed<RoomState>>;
  /** For somebody who may read there. @throws Failure `not_found`, `banned` */
  followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
  /** A room as of some recent position: enough where an append proves it. */
  findFeed: (roomId: string) => Promise<Feed<RoomState> | undefined>;
  /** The same, of rooms in memory. */
  loadedFeed: (roomId: string) => Feed<RoomState> | undefined;
  contact: Contact;
  findMentioned: MentionLookup;
  flags: FlagPolicy;
  recordRefusal: RecordRefusal;
  recordAct: RecordAct;
  /** Where messages go that nobody judged in time, in the modes that keep them. */
  unjudged: ModerationRetryStore;
  settings: { maxLength: number; admissionMs: number; fallback: FallbackMode };
}): MessageService {
  const records = createSenderRecords();

  async function send(sender: Sender, draft: Draft, origin: Origin): Promise<SendOutcome> {
    const messageId = newId();
    return origin.order.run(
      draft.roomId,
      () => prepare(sender, draft, messageId, origin),
      async (prepared) => {
        if (prepared.repeat) return prepared.repeat;
        const { feed, verdict, ...ready } = prepared;
        const author = { roomId: draft.roomId, authorId: sender.userId };
        return flags.commit(author, verdict, (flag) =>
          eventLog.send(feed, {
            actor: sender,
            sessionId: sender.sessionId,
            sender: ready.sender,
            messageId,
            clientId: draft.clientId,
            allowedAt: ready.allowedAt,
            digest: ready.digest,
            text: ready.text,
            html: ready.html,
            mentions: ready.mentions,
            replyTo: draft.replyTo ?? null,
            flag,
          }),
        );
      },
    );
  }

  async function prepare(
    sender: Sender,
    draft: Draft,
    messageId: string,
    { order, isOpen }: Origin,
  ): Promise<Prepared | Repeated> {
    const text = requireText(draft.text, '/text', settings.maxLength);
    const digest = contentDigest(text, draft.replyTo ?? null);
    let feed: Feed<RoomState>;
    let allowedAt: number;
    const askedMs = performance.now();
    const knownAt = loadedFeed(draft.roomId)?.position ?? 0;
    try {
      const found = requirePost(sender, draft.roomId);
      feed = await found;
      // Who has gone meanwhile may have asked elsewhere, been refused for certain, and only then been let in. A turn of the event
      // loop, in which the news of their going is read that came before the room did, nothing unread being before it.
      if (found instanceof Promise) await new Promise(setImmediate);
      if (!isOpen()) {
        const refusal = clientGone();
        order.abandon(refusal);
        throw refusal;
      }
      // So late that its sender may have been refused for certain elsewhere: what they may do since then is not for this one.
      allowedAt = performance.now() - askedMs > settings.admissionMs ? knownAt : feed.position;
      if (isPair(feed.state)) await contact.requireConversation(feed.state, sender.userId);
      if (draft.replyTo !== undefined) await requireReplyTarget(feed, sender, draft.replyTo);
    } catch (refusal) {
      // What was stored stays stored: a repeat gets its first answer, even from someone muted or removed since.
      const repeat = await findRepeat(draft, sender, digest);
      if (!repeat) throw refusal;
      return { repeat };
    }
    const held = { messageId, roomId: draft.roomId, authorId: sender.userId, digest, text };
    const waiting = { ...held, clientId: draft.clientId, replyTo: draft.replyTo ?? null };
    // Behind what is held back of the same author, so that their messages keep their order.
    if (settings.fallback === 'pending' && (await unjudged.isWaiting(draft.roomId, sender.userId)))
      return { repeat: await holdBack(waiting) };
    // Asked for side by side, and awaited together: either may fail while the other is on its way.
    const [verdict, author] = await Promise.all([
      judge(draftText(sender, draft.roomId, text, 'message', messageId)).catch(async (error) => {
        const noted = error instanceof NoVerdict && (await withoutVerdict(error, waiting));
        if (!noted) throw error;
        return noted;
      }),
      profiles.remembered(sender.userId) ?? findProfile(sender.userId),
    ]);
    if ('messageId' in verdict) return { repeat: verdict };
    // A block is asked for by no append. Meanwhile a repeat may have been refused for it.
    if (isPair(feed.state) && !isOpen()) await contact.requireConversation(feed.state, sender.userId);
    const ready = {
      feed,
      allowedAt,
      verdict,
      text,
      digest,
      sender: author,
    };
    if (verdict.outcome === 'block') {
      // A repeat of what was stored gets its first answer, even if the engine has changed its mind since.
      const repeat = await findRepeat(draft, sender, digest);
      if (!repeat) {
        records.noteBlocked(sender.userId);
        await recordRefusal({ roomId: draft.roomId, authorId: sender.userId, kind: 'message', verdict });
        throw blocked(verdict);
      }
      return { repeat };
    }
    // No promise where nobody is mentioned: every send takes this way.
    const noMentions = { mentions: [], html: verdict.html };
    const found = verdict.mentions.length === 0 ? noMentions : await findMentioned(feed.state, verdict, sender.userId);
    return { ...ready, ...found };
  }

  async function findProfile(userId: string): Promise<PublicProfile> {
    const people = await profiles.byIds([userId]);
    return people.get(userId) ?? unknownProfile(userId);
  }

  /** The sender has the key's first answer, or the message waits where nobody else sees it. */
  async function holdBack(draft: UnmoderatedDraft): Promise<SendOutcome> {
    const first = await findRepeat(draft, { userId: draft.authorId }, draft.digest);
    return first ?? { ...(await unjudged.hold(draft, 'pending')), seq: 0, pending: true };
  }

  /** What the deployment does with a text that nobody judged in time; undefined: it is refused. */
  async function withoutVerdict(
    { mode }: NoVerdict,
    draft: UnmoderatedDraft,
  ): Promise<SendOutcome | Verdict | undefined> {
    if (mode === 'pending') return holdBack(draft);
    if (mode !== 'open') return undefined;
    const first = await findRepeat(draft, { userId: draft.authorId }, draft.digest);
    if (first) return first;
    // Noted before it is delivered: what is delivered unjudged is surely judged later.
    const noted = await unjudged.hold(draft, 'open');
    if (noted.duplicate) throw new Failure('unavailable', 'the first of these is on its way', { retryAfterMs: 1000 });
    const html = plainHtml(draft.text);
    return { outcome: 'allow', spamScore: 0, labels: [], html, links: [], mentions: [], engineVersion: 'none' };
  }

  /**
   * Refuses early what is surely refused; the append asks again at its seq. A refusal by memory that lags is worse than a
   * read, so it is made sure of. No promise where the room is at hand: every send takes this way.
   */
  function requirePost(sender: Sender, roomId: string): Feed<RoomState> | Promise<Feed<RoomState>> {
    const feed = loadedFeed(roomId);
    return feed && mayPost(feed, sender) ? feed : requirePostNow(sender, roomId);
  }

  async function requirePostNow(sender: Sender, roomId: string): Promise<Feed<RoomState>> {
    const feed = await findFeed(roomId);
    if (!feed) throw new Failure('not_found', 'no such room');
    if (mayPost(feed, sender)) return feed;
    const current = await follow(roomId);
    current.state.requirePost(sender, eventLog.nowMs());
    return current;
  }

  function mayPost(feed: Feed<RoomState>, sender: Sender): boolean {
    try {
      feed.state.requirePost(sender, eventLog.nowMs());
      return true;
    } catch {
      return false;
    }
  }

  async function requireReplyTarget(feed: Feed<RoomState>, actor: Actor, messageId: string): Promise<void> {
    const target = await repository.find(feed.roomId, messageId);
    if (!target || target.deletedAt || target.seq < feed.state.firstReadable(actor)) {
      throw new Failure('not_found', 'the message replied to is not in this room', {
        errors: [{ path: '/replyTo', message: 'not a message of this room' }],
      });
    }
  }

  async function findRepeat(
    draft: Pick<Draft, 'roomId' | 'clientId'>,
    sender: Pick<Sender, 'userId'>,
    digest: bigint,
  ): Promise<SendOutcome | undefined> {
    const first = await repository.findKey(draft.roomId, sender.userId, draft.clientId);
    if (!first) return undefined;
    if (first.digest !== digest) throw new Failure('conflict', 'this clientId was used for another message');
    return { messageId: first.messageId, seq: first.seq, atMs: first.atMs, duplicate: true };
  }

  function draftText(sender: Sender, roomId: string, text: string, kind: DraftText['kind'], key: string): DraftText {
    const draft = { key, text, kind, roomId, senderId: sender.userId };
    const record = records.find(sender.userId);
    return record === undefined ? draft : { ...draft, sender: record };
  }

  async function edit(sender: Sender, roomId: string, messageId: string, source: string): Promise<{ seq: number }> {
    const text = requireText(source, '/text', settings.maxLength);
    const known = await follow(roomId);
    // Staff may act in a room that it may not read, and does not write there.
    if (known.state.standingOf(sender) === 'staff') known.state.require(sender, 'edit_own');
    const feed = await followToRead(sender, roomId);
    const before = await requireMessage(feed, sender, messageId);
    if (before.sender.id !== sender.userId) throw new Failure('forbidden', 'only its author edits a message');
    feed.state.require(sender, 'edit_own');
    feed.state.requireUnmuted(sender.userId, eventLog.nowMs());
    // New words in an old message reach the other as a new one would.
    if (isPair(feed.state)) await contact.requireConversation(feed.state, sender.userId);
    const verdict = await judge(draftText(sender, roomId, text, 'edit', messageId));
    if (verdict.outcome === 'block') {
      records.noteBlocked(sender.userId);
      await recordRefusal({ roomId, authorId: sender.userId, kind: 'edit', verdict });
      throw blocked(verdict);
    }
    const { mentions, html } = await findMentioned(feed.state, verdict, sender.userId);
    const author = { roomId, authorId: sender.userId };
    const { answer, seq } = await flags.commit(author, verdict, (flag) =>
      eventLog.transact(roomId, async (context) => {
        context.state.require(sender, 'edit_own');
        context.state.requireUnmuted(sender.userId, eventLog.nowMs());
        const current = await lockMessage(context, roomId, messageId);
        if (current.deleted) throw new Failure('not_found', 'no such message');
        if (current.authorId !== sender.userId) throw new Failure('forbidden', 'only its author edits a message');
        if (current.text === text) return { events: [], answer: current.seq };
        await storeVersion(context, roomId, messageId, current, { text, html, mentions });
        if (flag) await recordFlag(context.tx, { ...author, messageId }, flag);
        return {
          events: [{ type: 'message.updated', actorId: sender.userId, messageId, data: {} }],
          answer: undefined,
        };
      }),
    );
    return { seq: answer ?? seq };
  }

  interface Current {
    readonly authorId: string;
    readonly text: string;
    readonly html: string;
    readonly mentions: string[] | null;
    readonly deleted: boolean;
    readonly version: number;
    /** The event that brought this version. */
    readonly seq: number;
    readonly at: Date;
  }

  async function lockMessage({ tx }: AppendContext, roomId: string, messageId: string): Promise<Current> {
    const [row] = await tx
      .select()
      .from(events)
      .where(and(eq(events.messageId, messageId), eq(events.type, 'message.created'), eq(events.roomId, roomId)))
      .for('update');
    if (!row) throw new Failure('not_found', 'no such message');
    const [edits] = await tx
      .select({ count: sql<number>`count(*)::int` })
      .from(messageEdits)
      .where(eq(messageEdits.messageId, messageId));
    return {
      authorId: row.actorId!,
      text: row.text ?? '',
      html: row.html ?? '',
      mentions: row.mentions,
      deleted: row.deletedAt !== null,
      version: edits?.count ?? 0,
      seq: await findVersionSeq(tx, { roomId, messageId }, row.seq),
      at: row.editedAt ?? row.at,
    };
  }

  async function storeVersion(
    { tx }: AppendContext,
    roomId: string,
    messageId: string,
    { text, html, mentions, version, seq, at }: Current,
    next: { text: string; html: string; mentions: string[] },
  ): Promise<void> {
    await tx.insert(messageEdits).values({ messageId, version, roomId, seq, text, html, mentions, at });
    await tx
      .update(events)
      .set({ ...next, editedAt: sql`date_trunc('milliseconds', now())` })
      .where(and(eq(events.messageId, messageId), eq(events.type, 'message.created')));
  }

  async function remove(sender: Sender, roomId: string, messageId: string): Promise<{ seq: number }> {
    await findToActOn(sender, roomId, messageId);
    const { answer, seq } = await eventLog.transact(roomId, async (context) => {
      const current = await lockMessage(context, roomId, messageId);
      const standing = context.state.standingOf(sender);
      const own = current.authorId === sender.userId && may(standing, 'delete_own');
      if (!own) context.state.require(sender, 'delete_any');
      // What a moderator took away, its author can still take back for good.
      if (own) await forgetRemoved(context.tx, messageId);
      if (current.deleted) return { events: [], answer: await deletionSeq(context, roomId, messageId) };
      await redact(context.tx, { roomId, messageId }, sender.userId);
      if (!own) {
        const { authorId } = current;
        const act = { action: 'message.delete', actorId: sender.userId, roomId, targetId: messageId };
        await recordAct(context.tx, { ...act, details: { authorId } });
      }
      return {
        events: [
          { type: 'message.deleted', actorId: sender.userId, messageId, data: { messageId, by: sender.userId } },
        ],
        answer: undefined,
      };
    });
    return { seq: answer ?? seq };
  }

  async function findToActOn(actor: Actor, roomId: string, messageId: string): Promise<Message> {
    const { state } = await follow(roomId);
    if (state.standingOf(actor) !== 'staff') return requireMessage(await followToRead(actor, roomId), actor, messageId);
    const message = await repository.find(roomId, messageId);
    if (!message) throw new Failure('not_found', 'no such message');
    return message;
  }

  async function deletionSeq({ tx }: AppendContext, roomId: string, messageId: string): Promise<number> {
    const [row] = await tx
      .select({ seq: events.seq })
      .from(events)
      .where(and(eq(events.roomId, roomId), eq(events.messageId, messageId), eq(events.type, 'message.deleted')))
      .limit(1);
    return row?.seq ?? 0;
  }

  async function requireMessage(feed: Feed<RoomState>, actor: Actor, messageId: string): Promise<Message> {
    const message = await repository.find(feed.roomId, messageId);
    if (!message || message.seq < feed.state.firstReadable(actor)) throw new Failure('not_found', 'no such message');
    return message;
  }

  async function history(actor: Actor, roomId: string, range: HistoryRange): Promise<Buffer> {
    const { before, after, around, limit } = range;
    const newest = before === undefined && after === undefined && around === undefined;
    if (newest && !loadedFeed(roomId) && !pages.isInUse(roomId)) {
      const page = await pages.forMember(roomId, actor.userId, limit);
      if (page) return page;
    }
    const feed = await followToRead(actor, roomId);
    const from = feed.state.firstReadable(actor);
    // What comes while this is read may follow a removal: the caller's right was asked for up to here.
    const head = feed.position;
    if (after !== undefined) return pageJson(await repository.after(roomId, Math.max(after, from - 1), head, limit));
    if (before !== undefined) return pageJson(await repository.before(roomId, Math.min(before, head + 1), from, limit));
    if (around === undefined) return pages.newest(roomId, head, from, limit);
    const [older, newer] = await Promise.all([
      repository.before(roomId, Math.min(around, head + 1), from, limit),
      repository.after(roomId, Math.max(around - 1, from - 1), head, limit),
    ]);
    return pageJson(pageAround(older, newer, limit));
  }

  async function findStored(roomId: string, messageId: string): Promise<Message> {
    const message = await readAfterCommit(repository.find(roomId, messageId));
    if (!message) throw new Failure('outcome_unknown', 'the message is not there any more', { retryAfterMs: 1000 });
    return message;
  }

  return {
    send,
    findStored,
    edit,
    remove,
    find: async (actor, roomId, messageId) => requireMessage(await followToRead(actor, roomId), actor, messageId),
    findToActOn,
    history,
    replies: async (actor, roomId, messageId, after, limit) => {
      const feed = await followToRead(actor, roomId);
      await requireMessage(feed, actor, messageId);
      const from = Math.max(after, feed.state.firstReadable(actor) - 1);
      return repository.replies(roomId, messageId, from, feed.position, limit);
    },
    edits: async (actor, roomId, messageId, from, limit) => {
      const message = await requireMessage(await followToRead(actor, roomId), actor, messageId);
      return message.deletedAt ? [] : repository.edits(messageId, from, limit);
    },
  };
}

/** The middle, half of it older; what one side has too little of is filled up from the other. */
function pageAround(older: JsonPage, newer: JsonPage, limit: number): JsonPage {
  const newerCount = Math.max(Math.ceil(limit / 2), limit - older.messages.length);
  const right = newer.messages.slice(0, newerCount);
  const left = older.messages.slice(Math.max(0, older.messages.length - (limit - right.length)));
  const leftOut = newer.messages.length > right.length || older.messages.length > left.length;
  return { messages: [...left, ...right], hasMore: leftOut || older.hasMore || newer.hasMore };
}

function blocked(verdict: Verdict): Failure {
  return new Failure('message_blocked', 'this message was refused by moderation', {
    details: { labels: verdict.labels },
  });
}
