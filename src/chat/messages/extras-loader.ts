/**
 * Finds what other tables hold of messages: reactions, pins, threads, files, polls, previews. Each feature brings a source;
 * roles/wiring has the list. Messages without marks cost nothing.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Database, Transaction } from '../../database/connect.ts';
import { type MessageExtras, noExtras, toExtras } from '../state/message-extras.ts';
import { hasMark, type MessageMark, messageMarks } from '../state/message-marks.ts';

/** By the message's id. */
export type FoundExtras = ReadonlyMap<string, Partial<MessageExtras>>;

/** What one feature adds to messages. */
export interface ExtrasSource {
  /** The messages that have it. */
  readonly mark: MessageMark;
  /** Reads it as of now. @param messageIds of messages with the mark; at most a page of them */
  readonly load: (db: Database | Transaction, messageIds: readonly string[]) => Promise<FoundExtras>;
  /** The same as the log keeps it, which is read at any later time. Default: `load`. */
  readonly loadForLog?: ExtrasSource['load'];
  /** Makes of what `loadForLog` found what clients get. */
  readonly fromLog?: (shown: Partial<MessageExtras>) => Partial<MessageExtras>;
  /**
   * What of it was there when the message was created, as the `message.created` event shows it. Default: nothing, because
   * it came later, with an event of its own.
   */
  readonly atCreation?: (found: Partial<MessageExtras>) => Partial<MessageExtras>;
  /** Deletes what it holds of messages that are deleted for good. Running it again changes nothing. */
  readonly purge?: (tx: Transaction, messageIds: readonly string[]) => Promise<void>;
}

interface MarkedMessage {
  readonly id: string;
  readonly marks: number;
}

export interface ExtrasLoader {
  /** As of now. No promise where no message has a mark, which is the common case. */
  readonly find: (messages: readonly MarkedMessage[]) => FoundExtras | Promise<FoundExtras>;
  /** As the events of the log show it: as of the messages' creation. */
  readonly findAtCreation: (messages: readonly MarkedMessage[]) => FoundExtras | Promise<FoundExtras>;
  /**
   * What a message shows beyond its creation, as of the transaction: `message.updated` events carry it, so that they can
   * be read again from the log as they were.
   * @returns undefined where there is nothing
   */
  readonly snapshot: (tx: Transaction, message: MarkedMessage) => Promise<Partial<MessageExtras> | undefined>;
  /** Makes of a snapshot in the log what clients get. */
  readonly fromLog: (shown: Partial<MessageExtras>) => Partial<MessageExtras>;
  /** Deletes everything that belongs to messages that are deleted for good: not those that a moderator may restore. */
  readonly purge: (tx: Transaction, messageIds: readonly string[]) => Promise<void>;
}

const nothing: FoundExtras = new Map();

export function createExtrasLoader(db: Database, sources: readonly ExtrasSource[]): ExtrasLoader {
  function load(
    on: Database | Transaction,
    messages: readonly MarkedMessage[],
    toShown: (source: ExtrasSource, found: Partial<MessageExtras>) => Partial<MessageExtras>,
    chosen: readonly ExtrasSource[],
    isForLog = false,
  ): FoundExtras | Promise<FoundExtras> {
    const marked = messages.filter(({ marks }) => marks !== 0);
    return marked.length === 0 ? nothing : loadMarked(on, marked, toShown, chosen, isForLog);
  }

  async function loadMarked(
    on: Database | Transaction,
    messages: readonly MarkedMessage[],
    toShown: (source: ExtrasSource, found: Partial<MessageExtras>) => Partial<MessageExtras>,
    chosen: readonly ExtrasSource[],
    isForLog: boolean,
  ): Promise<FoundExtras> {
    const all = new Map<string, Partial<MessageExtras>>();
    await Promise.all(
      chosen.map(async (source) => {
        const ids = messages.filter(({ marks }) => hasMark(marks, source.mark)).map(({ id }) => id);
        if (ids.length === 0) return;
        const read = isForLog ? (source.loadForLog ?? source.load) : source.load;
        for (const [id, found] of await read(on, ids)) all.set(id, { ...all.get(id), ...toShown(source, found) });
      }),
    );
    return all;
  }

  const created = sources.filter((source) => source.atCreation !== undefined);
  const revivers = sources.flatMap(({ fromLog }) => fromLog ?? []);

  return {
    find: (messages) => load(db, messages, (_source, found) => found, sources),
    findAtCreation: (messages) => load(db, messages, (source, found) => source.atCreation!(found), created),
    snapshot: async (tx, message) => {
      // The row does not say whether the message starts a thread.
      const marked = { ...message, marks: message.marks | messageMarks.thread };
      const found = await load(tx, [marked], (_source, each) => each, sources, true);
      const shown = found.get(message.id);
      return shown && withoutLinks(shown);
    },
    fromLog: (shown) => revivers.reduce((each, revive) => revive(each), shown),
    purge: async (tx, messageIds) => {
      if (messageIds.length > 0) for (const source of sources) await source.purge?.(tx, messageIds);
    },
  };
}

/** @returns undefined for a plain message */
function withoutLinks(shown: Partial<MessageExtras>): Partial<MessageExtras> | undefined {
  const kept = beyondCreation(toExtras(shown));
  return isDeepStrictEqual(kept, beyondCreation(noExtras)) ? undefined : kept;
}

/** Without what the row holds. Files come from their table whenever an event is read, because their links expire; so does the message forwarded. */
function beyondCreation(extras: MessageExtras): Partial<MessageExtras> {
  const { attachments: _files, forwarded: _forwarded, threadId: _thread, mentionsAll: _all, ...kept } = extras;
  return kept;
}
