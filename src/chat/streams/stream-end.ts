/**
 * Ends messages that are written word by word. The whole text is judged once more and becomes the message by a
 * `message.updated`; a text that is blocked takes the message away, as a blocked send leaves none.
 */
import type { Database, Sql } from '../../database/connect.ts';
import { Failure, invalid } from '../../errors.ts';
import { showsSomething } from '../../http/input/line-text.ts';
import type { Judge, Verdict } from '../../processing/client/processing-client.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { AppendContext, AppendPlan, EventLog } from '../events/event-log.ts';
import { followThread } from '../events/event-repository.ts';
import { threadsAfter } from '../events/thread-summary-repository.ts';
import { BlockedText } from '../messages/blocked-text.ts';
import { draftText } from '../messages/draft-moderation.ts';
import type { ExtrasLoader } from '../messages/extras-loader.ts';
import type { FlagPolicy } from '../messages/flag-policy.ts';
import { recordFlag } from '../messages/flag-repository.ts';
import type { Mentioned, MentionLookup } from '../messages/mentioned-members.ts';
import { lockMessage, lockRow, redact } from '../messages/message-version-repository.ts';
import { requireOptionalText } from '../state/message-text.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import type { Flag, RecordRefusal } from '../state/verdict-records.ts';
import { closeStream, dropStreams, lockStream, readOpenStream, type StreamPlace } from './stream-repository.ts';

/** Who ends a stream. */
export type Ending =
  /** Its writer, perhaps with another text in place of what was streamed. */
  | { readonly by: 'writer'; readonly actor: Actor; readonly text: string | undefined }
  /** The server, because the writer is silent. */
  | { readonly by: 'silence' }
  /** The server, because the writer may write there no longer. */
  | { readonly by: 'lost right' };

/** `finished`: by this call. `closed`: by an earlier one, or the message is gone. `resumed`: the writer is back. */
export type Ended = { readonly outcome: 'finished'; readonly seq: number } | { readonly outcome: 'closed' | 'resumed' };

export interface StreamEnds {
  /** @throws Failure `message_blocked` (the message is removed), `invalid`, `muted`, `forbidden`, `not_found`, `unavailable`; NoVerdict */
  readonly end: (place: StreamPlace, ending: Ending) => Promise<Ended>;
  /** Removes a message whose text so far is blocked. */
  readonly removeBlocked: (place: StreamPlace, verdict: Verdict) => Promise<BlockedText>;
}

export interface StreamEndOptions {
  readonly db: Database;
  readonly sql: Sql;
  readonly judge: Judge;
  readonly eventLog: Pick<EventLog, 'transact' | 'nowMs'>;
  /** A room as of some recent position; undefined where there is none. */
  readonly findFeed: (roomId: string) => Promise<Feed<RoomState> | undefined>;
  readonly findMentioned: MentionLookup;
  readonly flags: FlagPolicy;
  readonly snapshot: ExtrasLoader['snapshot'];
  readonly purge: ExtrasLoader['purge'];
  readonly recordRefusal: RecordRefusal;
  readonly settings: {
    /** Code points. */
    readonly maxLength: number;
    readonly idleMs: number;
    readonly lifetimeMs: number;
  };
}

/** A text to end with, and how much of the stream it was made of. */
interface Candidate {
  readonly text: string;
  /** Undefined: the writer gave the text, so whatever came before does not matter. */
  readonly length: number | undefined;
}

export function createStreamEnds(options: StreamEndOptions): StreamEnds {
  const { sql, judge, eventLog, findFeed, findMentioned, flags, settings } = options;

  async function end(place: StreamPlace, ending: Ending): Promise<Ended> {
    for (;;) {
      const feed = await findFeed(place.roomId);
      const candidate = await findCandidate(place, ending, feed?.state);
      if (!candidate || !feed || feed.state.deleted) return drop(place);
      if (!showsSomething(candidate.text)) {
        if (ending.by === 'writer') throw invalid('/text', 'is empty');
        await remove(place);
        return { outcome: 'closed' };
      }
      const verdict = await judge(draftText({ ...place, text: candidate.text }, 'message', undefined));
      if (verdict.outcome === 'block') throw await removeBlocked(place, verdict);
      const mentioned = await findMentioned(feed.state, verdict, place.authorId);
      const { answer, seq } = await flags.commit(place, verdict, (flag) =>
        eventLog.transact(place.roomId, (context) =>
          planEnd(context, { place, ending, candidate, mentioned, flag }, options),
        ),
      );
      if (answer === 'finished') return { outcome: 'finished', seq };
      // The writer has added something since: it is judged as well.
      if (answer !== 'grown') return { outcome: answer };
    }
  }

  async function findCandidate(
    place: StreamPlace,
    ending: Ending,
    state: RoomState | undefined,
  ): Promise<Candidate | undefined> {
    const stream = await readOpenStream(sql, place.messageId);
    if (!stream) return undefined;
    if (ending.by === 'writer' && ending.text !== undefined)
      return { text: requireOptionalText(ending.text, '/text', settings.maxLength), length: undefined };
    const isWriter = ending.by === 'writer' || (ending.by === 'silence' && mayWrite(state, place.authorId));
    // What a writer without the right has added is not shown beyond what readers have seen.
    const text = isWriter ? stream.text : stream.text.slice(0, stream.judgedLength);
    return { text: text.normalize('NFC'), length: stream.length };
  }

  function mayWrite(state: RoomState | undefined, authorId: string): boolean {
    return state?.members.has(authorId) === true && state.members.get(authorId)!.mutedUntil <= eventLog.nowMs();
  }

  /** Closes the stream of a room that is no more, or finds it closed. */
  async function drop({ messageId }: StreamPlace): Promise<Ended> {
    if (await readOpenStream(sql, messageId)) {
      await options.db.transaction((tx) => dropStreams(tx, [messageId]));
    }
    return { outcome: 'closed' };
  }

  async function removeBlocked(place: StreamPlace, verdict: Verdict): Promise<BlockedText> {
    await remove(place);
    await options.recordRefusal({ roomId: place.roomId, authorId: place.authorId, kind: 'message', verdict });
    return new BlockedText(verdict);
  }

  async function remove(place: StreamPlace): Promise<void> {
    await eventLog.transact(place.roomId, (context) => planRemoval(context, place, options));
  }

  return { end, removeBlocked };
}

async function planEnd(
  { tx, state, nextSeq }: AppendContext,
  {
    place,
    ending,
    candidate,
    mentioned,
    flag,
  }: {
    readonly place: StreamPlace;
    readonly ending: Ending;
    readonly candidate: Candidate;
    readonly mentioned: Mentioned;
    readonly flag: Flag | undefined;
  },
  { eventLog, snapshot, settings }: StreamEndOptions,
): Promise<AppendPlan<'finished' | 'closed' | 'resumed' | 'grown'>> {
  const { messageId, roomId, authorId } = place;
  const message = await lockMessage(tx, place);
  const stream = await lockStream(tx, messageId, settings);
  if (!stream) return { events: [], answer: 'closed' };
  if (message.deleted || state.deleted) {
    await dropStreams(tx, [messageId]);
    return { events: [], answer: 'closed' };
  }
  if (ending.by === 'writer') {
    state.require(ending.actor, 'post');
    state.requireUnmuted(authorId, eventLog.nowMs());
  }
  if (ending.by === 'silence' && !stream.isOver) return { events: [], answer: 'resumed' };
  if (candidate.length !== undefined && candidate.length !== stream.length) return { events: [], answer: 'grown' };
  await closeStream(tx, messageId, { ...mentioned, text: candidate.text, interrupted: ending.by !== 'writer' });
  if (flag) await recordFlag(tx, { roomId, messageId, authorId }, flag);
  const { threadId, marks } = message;
  const after = async () => {
    if (threadId) await followThread(tx, { threadId, roomId, authorId, ...mentioned }, nextSeq);
  };
  const shown = await snapshot(tx, { id: messageId, marks });
  // The event brings the message's first version, so it names itself; and it is no edit.
  const data = { versionSeq: nextSeq, editedAt: null, ...(shown ? { shown } : {}) };
  return { events: [{ type: 'message.updated', actorId: authorId, messageId, data }], answer: 'finished', after };
}

async function planRemoval(
  { tx }: AppendContext,
  place: StreamPlace,
  { purge, settings }: StreamEndOptions,
): Promise<AppendPlan<undefined>> {
  const { messageId, authorId } = place;
  const row = await lockRow(tx, place);
  const stream = await lockStream(tx, messageId, settings);
  if (!row || !stream) return { events: [], answer: undefined };
  // Deletes the stream, too.
  await purge(tx, [messageId]);
  if (row.deletedAt !== null) return { events: [], answer: undefined };
  await redact(tx, place, authorId);
  const inThread = (await threadsAfter(tx, [row.threadId])).get(row.threadId);
  const data = { messageId, by: authorId, ...inThread };
  return { events: [{ type: 'message.deleted', actorId: authorId, messageId, data }], answer: undefined };
}

/** The failure of a stream that is not open any more. */
export function closedFailure({ isDeleted, isInterrupted }: { isDeleted: boolean; isInterrupted: boolean }): Failure {
  if (isDeleted) return new Failure('not_found', 'no such message');
  const why = isInterrupted ? 'because its writer was silent for too long; edit it instead' : 'already';
  return new Failure('conflict', `the message was finished ${why}`, {
    details: { finished: true, interrupted: isInterrupted },
  });
}
