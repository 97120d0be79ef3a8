/**
 * Messages that are written word by word. Each piece is stored when it is acked, so a writer may go on at another
 * instance, and any instance can finish the message. Readers get only text that was judged: `stream-steps.ts` paces that.
 */
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { createSerial } from '../../concurrency/serial.ts';
import type { Database, Sql } from '../../database/connect.ts';
import { Failure, invalid, toFailure } from '../../errors.ts';
import type { Judge } from '../../processing/client/processing-client.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Contact } from '../membership/contact.ts';
import type { BlockedText } from '../messages/blocked-text.ts';
import { draftText } from '../messages/draft-moderation.ts';
import type { MentionLookup } from '../messages/mentioned-members.ts';
import { lockRow } from '../messages/message-version-repository.ts';
import type { Origin, Sender } from '../messages/send-admission.ts';
import type { SendOutcome } from '../state/message-draft.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import { judgeableEnd } from './judgeable-end.ts';
import { closedFailure, type StreamEndOptions, type StreamEnds } from './stream-end.ts';
import {
  appendPiece,
  findFinishSeq,
  findStream,
  lockStream,
  readOpenStream,
  type StreamPlace,
  type StreamView,
  showUpTo,
} from './stream-repository.ts';
import type { StartStream, StreamDraft } from './stream-start.ts';
import { createStreamSteps } from './stream-steps.ts';

export interface StreamService {
  /** @returns the message's place, where its text goes on, and whether it is finished. @throws Failure as a send does */
  readonly start: (
    sender: Sender,
    draft: StreamDraft,
    origin: Origin,
  ) => Promise<SendOutcome & { readonly offset: number; readonly finished: boolean }>;
  /**
   * Adds a piece at an offset in UTF-16 units. A piece that was received before changes nothing. An empty piece says that
   * the writer is still there.
   * @returns where the next piece goes
   * @throws Failure `conflict` with `expectedOffset`, or `finished`; `not_found`, `forbidden`, `muted`, `too_large`,
   *   `message_blocked`
   */
  readonly append: (
    actor: Actor,
    piece: { readonly messageId: string; readonly offset: number; readonly text: string },
  ) => Promise<{ readonly offset: number }>;
  /**
   * Judges the whole text and makes it the message. A repeat gets the first answer.
   * @param text in place of what was streamed
   * @throws Failure `message_blocked`: the message is removed; and as `append`
   */
  readonly finish: (
    actor: Actor,
    messageId: string,
    text: string | undefined,
  ) => Promise<{ readonly seq: number; readonly duplicate: boolean }>;
  /** Ends a stream whose writer is silent. @throws NoVerdict and what an append throws: it is tried again */
  readonly endSilent: (place: StreamPlace) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface StreamServiceOptions {
  readonly db: Database;
  readonly sql: Sql;
  readonly startStream: StartStream;
  readonly ends: StreamEnds;
  readonly judge: Judge;
  readonly findMentioned: MentionLookup;
  readonly contact: Pick<Contact, 'requireConversation'>;
  /** A room at its head as of now. @throws Failure `not_found` */
  readonly follow: (roomId: string) => Promise<Feed<RoomState>>;
  readonly signalRoom: (roomId: string, json: string, exceptUserIds: readonly string[]) => void;
  readonly signalUser: (userId: string, json: string) => void;
  /** Postgres' clock, milliseconds. */
  readonly nowMs: () => number;
  readonly logger: Logger;
  readonly settings: StreamEndOptions['settings'] & { readonly judgeEveryMs: number };
}

/** Messages whose refusal is remembered for their writer. */
const blockedMax = 1000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: looks for NUL, which Postgres cannot store.
const nul = /\u0000/;

export function createStreamService(options: StreamServiceOptions): StreamService {
  const { sql, ends, follow, contact, signalUser, nowMs, logger, settings } = options;
  /** Pieces of a message in the order in which they came. */
  const serial = createSerial();
  const blocked = new LRUCache<string, BlockedText>({ max: blockedMax });
  const steps = createStreamSteps({
    step,
    everyMs: settings.judgeEveryMs,
    onError: (error) => logger.debug({ error }, 'a step of a stream failed'),
  });
  const showMore = createShowing(options);

  async function start(sender: Sender, draft: StreamDraft, origin: Origin) {
    const outcome = await options.startStream(sender, draft, origin);
    const known = outcome.duplicate ? await findStream(sql, outcome.messageId) : undefined;
    return { ...outcome, offset: known?.length ?? 0, finished: known !== undefined && !known.isOpen };
  }

  /** The stream, if the actor writes it and may write there now. */
  async function requireOwn(actor: Actor, messageId: string): Promise<StreamView> {
    const refusal = blocked.get(messageId);
    const stream = await findStream(sql, messageId);
    if (!stream || stream.authorId !== actor.userId) throw new Failure('not_found', 'no such message');
    if (refusal) throw refusal;
    if (!stream.isOpen || stream.isDeleted) return stream;
    try {
      const { state } = await follow(stream.roomId);
      state.require(actor, 'post');
      state.requireUnmuted(actor.userId, nowMs());
      await contact.requireConversation(state, actor.userId);
    } catch (error) {
      if (error instanceof Failure && !error.kind.retryable) endLost(stream);
      throw error;
    }
    return stream;
  }

  /** The writer may write no longer: the message ends with what readers have seen. */
  function endLost(place: StreamPlace): void {
    ends
      .end(place, { by: 'lost right' })
      .catch((error: unknown) => logger.debug({ error }, 'a stream could not be ended; the next look does it'));
  }

  async function append(actor: Actor, { messageId, offset, text }: Parameters<StreamService['append']>[1]) {
    if (!text.isWellFormed()) throw invalid('/text', 'holds half a surrogate pair');
    if (nul.test(text)) throw invalid('/text', 'holds NUL');
    return serial(messageId, async () => {
      const stream = await requireOwn(actor, messageId);
      if (!stream.isOpen || stream.isDeleted) throw closedFailure(stream);
      const piece = { offset, text, max: settings.maxLength };
      const length = (await appendPiece(sql, stream, piece)) ?? (await appendRest(stream, piece));
      steps.grown(messageId);
      return { offset: length };
    });
  }

  /** Adds the part of a piece that was not received before. */
  async function appendRest(
    place: StreamPlace,
    { offset, text, max }: { readonly offset: number; readonly text: string; readonly max: number },
  ): Promise<number> {
    const view = await findStream(sql, place.messageId);
    const stream = await readOpenStream(sql, place.messageId);
    if (!view || !stream || view.isDeleted) throw closedFailure(view ?? { isDeleted: true, isInterrupted: false });
    const known = stream.text.slice(offset, offset + text.length);
    if (offset > stream.length || !text.startsWith(known)) {
      throw new Failure('conflict', `the text goes on at offset ${stream.length}`, {
        details: { expectedOffset: stream.length },
      });
    }
    const rest = { offset: stream.length, text: text.slice(known.length), max };
    const length = await appendPiece(sql, place, rest);
    if (length !== undefined) return length;
    if ((await readOpenStream(sql, place.messageId))?.length !== stream.length)
      throw new Failure('unavailable', 'another piece came at the same time', { retryAfterMs: 100 });
    throw new Failure('too_large', `text: at most ${max} characters`, {
      errors: [{ path: '/text', message: `at most ${max} characters` }],
    });
  }

  async function finish(actor: Actor, messageId: string, text: string | undefined) {
    return serial(messageId, async () => {
      const stream = await requireOwn(actor, messageId);
      if (stream.isDeleted) throw closedFailure(stream);
      const ended = stream.isOpen ? await end(stream, { by: 'writer', actor, text }) : undefined;
      if (ended?.outcome === 'finished') return { seq: ended.seq, duplicate: false };
      const now = await findStream(sql, messageId);
      if (!now || now.isDeleted || now.isInterrupted) throw closedFailure(now ?? stream);
      return { seq: await findFinishSeq(sql, now, now.seq), duplicate: true };
    });
  }

  async function end(place: StreamPlace, ending: Parameters<StreamEnds['end']>[1]) {
    try {
      return await ends.end(place, ending);
    } catch (error) {
      if (toFailure(error).code === 'message_blocked') blocked.set(place.messageId, error as BlockedText);
      throw error;
    }
  }

  async function endSilent(place: StreamPlace): Promise<void> {
    try {
      await end(place, { by: 'silence' });
    } catch (error) {
      if (toFailure(error).code !== 'message_blocked') throw error;
      tellWriter(place, error as BlockedText);
    }
  }

  function tellWriter({ messageId, roomId, authorId }: StreamPlace, { code, message, details }: BlockedText): void {
    signalUser(authorId, JSON.stringify({ type: 'notice', code, message, roomId, messageId, ...details }));
  }

  async function step(messageId: string): Promise<void> {
    const place = await findStream(sql, messageId);
    const verdict = place && (await showMore(place));
    if (verdict?.outcome !== 'block') return;
    const refusal = await ends.removeBlocked(place!, verdict);
    blocked.set(messageId, refusal);
    tellWriter(place!, refusal);
  }

  return { start, append, finish, endSilent, stop: steps.stop };
}

/** Judges what a stream has grown by, and shows it to readers. @returns the verdict, if there was something to judge */
function createShowing({ db, sql, judge, findMentioned, follow, signalRoom, settings }: StreamServiceOptions) {
  return async (place: StreamPlace) => {
    const { messageId, roomId, authorId } = place;
    const stream = await readOpenStream(sql, messageId);
    const end = stream ? judgeableEnd(stream.text, stream.judgedLength) : 0;
    if (!stream || end <= stream.judgedLength) return undefined;
    const text = stream.text.slice(0, end);
    // Judged like an edit: the same text with more words is no flood.
    const verdict = await judge(draftText({ messageId, roomId, authorId, text }, 'edit', undefined));
    if (verdict.outcome === 'block') return verdict;
    // The writer may have lost the right to write while the text was judged.
    const { state } = await follow(roomId);
    if (!state.isMember(authorId)) return undefined;
    const { html } = await findMentioned(state, verdict, authorId);
    const shown = await db.transaction(async (tx) => {
      const row = await lockRow(tx, place);
      const now = await lockStream(tx, messageId, settings);
      if (!row || row.deletedAt !== null || !now || now.judgedLength >= end) return undefined;
      await showUpTo(tx, messageId, { end, text, html });
      return { offset: now.judgedLength, messageSeq: row.seq };
    });
    if (!shown) return verdict;
    const { offset, messageSeq } = shown;
    // Users who were removed before the text was shown must not get it, whichever instance removed them.
    await follow(roomId);
    const data = { messageId, offset, text: text.slice(offset) };
    signalRoom(roomId, JSON.stringify({ type: 'message.delta', roomId, messageSeq, data }), []);
    return verdict;
  };
}
