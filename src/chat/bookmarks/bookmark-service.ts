/** Messages that a user marks for later, with a note for nobody else: it is not judged, because nobody else reads it. */
import { createSerial } from '../../concurrency/serial.ts';
import type { Database, Transaction } from '../../database/connect.ts';
import { onePage, type PersonalData } from '../../database/personal-data.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import type { Message } from '../state/message-shape.ts';
import { requireOptionalText } from '../state/message-text.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import {
  type Bookmark,
  type BookmarkKey,
  countBookmarks,
  deleteBookmark,
  deleteBookmarksOf,
  exportBookmarks,
  findBookmark,
  listBookmarks,
  saveBookmark,
} from './bookmark-repository.ts';

/** A bookmark in the list: its message as of now, null if it is deleted or the user may not read it any more. */
export interface ListedBookmark extends Bookmark {
  readonly gone: boolean;
  readonly message: Message | null;
}

export interface BookmarkService {
  /** The newest first. */
  readonly list: (
    actor: Actor,
    range: { readonly before: { createdAt: string; messageId: string } | undefined; readonly limit: number },
  ) => Promise<ListedBookmark[]>;
  /**
   * Adds a bookmark, or replaces its note and time.
   * @throws Failure `not_found`, `invalid`, `too_large`, `conflict` at the bound of bookmarks
   */
  readonly put: (
    actor: Actor,
    place: { readonly roomId: string; readonly messageId: string },
    bookmark: { readonly note: string; readonly remindAt: string | null },
  ) => Promise<Bookmark>;
  /** A repeat changes nothing. */
  readonly remove: (actor: Actor, place: { readonly roomId: string; readonly messageId: string }) => Promise<void>;
}

export interface BookmarkOptions {
  readonly db: Database;
  /** A room at its head as of now, for somebody who may read there. @throws Failure `not_found`, `banned` */
  readonly followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
  readonly findIn: (feed: Feed<RoomState>, actor: Actor, messageId: string) => Promise<Message>;
  readonly findMessages: (userId: string, places: readonly { roomId: string; seq: number }[]) => Promise<Message[]>;
  readonly signalUser: (userId: string, json: string) => void;
  /** Postgres' clock, milliseconds. */
  readonly nowMs: () => number;
  readonly settings: {
    /** Bookmarks of one user. */
    readonly perUser: number;
    /** Code points. */
    readonly noteMax: number;
    /** Milliseconds from now that a reminder may be away. */
    readonly ahead: number;
  };
}

export function createBookmarkService(options: BookmarkOptions): BookmarkService {
  const { db, followToRead, findIn, signalUser, nowMs, settings } = options;
  const serial = createSerial();

  async function list(actor: Actor, range: Parameters<BookmarkService['list']>[1]): Promise<ListedBookmark[]> {
    const rows = await listBookmarks(db, actor.userId, range);
    const readable = await findReadable(actor, rows);
    const messages = new Map(
      (await options.findMessages(actor.userId, readable)).map((message) => [message.id, message]),
    );
    return rows.map(({ seq: _seq, ...bookmark }) => {
      const message = messages.get(bookmark.messageId);
      const shown = message && message.deletedAt === null ? message : null;
      return { ...bookmark, gone: shown === null, message: shown };
    });
  }

  /** The bookmarks whose message the actor may read now. */
  async function findReadable<Row extends { roomId: string; seq: number }>(
    actor: Actor,
    rows: readonly Row[],
  ): Promise<Row[]> {
    const roomIds = [...new Set(rows.map(({ roomId }) => roomId))];
    const from = new Map(
      await Promise.all(roomIds.map(async (roomId) => [roomId, await firstReadable(actor, roomId)] as const)),
    );
    return rows.filter(({ roomId, seq }) => seq > 0 && seq >= from.get(roomId)!);
  }

  async function firstReadable(actor: Actor, roomId: string): Promise<number> {
    try {
      return (await followToRead(actor, roomId)).state.firstReadable(actor);
    } catch (error) {
      // A room that is gone for the actor hides its messages. Anything else is a failure of the whole list.
      if (error instanceof Failure && !error.kind.retryable) return Number.POSITIVE_INFINITY;
      throw error;
    }
  }

  async function put(
    actor: Actor,
    place: { readonly roomId: string; readonly messageId: string },
    { note: source, remindAt }: { readonly note: string; readonly remindAt: string | null },
  ): Promise<Bookmark> {
    const note = requireOptionalText(source, '/note', settings.noteMax);
    const time = remindAt === null ? null : new Date(remindAt);
    const message = await findIn(await followToRead(actor, place.roomId), actor, place.messageId);
    if (message.deletedAt) throw new Failure('not_found', 'no such message');
    const key = { userId: actor.userId, ...place };
    const bookmark = await serial(actor.userId, () => db.transaction((tx) => store(tx, key, { note, remindAt: time })));
    announce(key, bookmark);
    return bookmark;
  }

  async function store(
    tx: Transaction,
    key: BookmarkKey,
    { note, remindAt }: { readonly note: string; readonly remindAt: Date | null },
  ): Promise<Bookmark> {
    // One write of a user at a time, so that the bound holds; and none after the account was erased.
    await lockAccount(tx, key.userId, 'no key update');
    const before = await findBookmark(tx, key);
    // A repeat of the request may come after the time that it names.
    if (remindAt && before?.remindAt !== remindAt.toISOString()) requireRemindAt(remindAt);
    if (!before && (await countBookmarks(tx, key.userId)) >= settings.perUser)
      throw new Failure('conflict', `at most ${settings.perUser} bookmarks; delete one first`);
    return saveBookmark(tx, key, { note, remindAt });
  }

  function requireRemindAt(time: Date): void {
    const aheadMs = time.getTime() - nowMs();
    if (aheadMs <= 0) throw invalid('/remindAt', 'is in the past');
    if (aheadMs > settings.ahead)
      throw invalid('/remindAt', `at most ${Math.floor(settings.ahead / 86_400_000)} days from now`);
  }

  /** For the user's other devices. */
  function announce({ userId, roomId, messageId }: BookmarkKey, bookmark: Bookmark | null): void {
    signalUser(userId, JSON.stringify({ type: 'bookmark.updated', roomId, data: { messageId, bookmark } }));
  }

  return {
    list,
    put,
    remove: async ({ userId }, place) => {
      const key = { userId, ...place };
      if (await deleteBookmark(db, key)) announce(key, null);
    },
  };
}

export function createBookmarkData(db: Database): PersonalData {
  return {
    name: 'bookmarks',
    cut: (tx, { userId }) => deleteBookmarksOf(tx, userId),
    exports: { bookmarks: onePage((userId) => exportBookmarks(db, userId)) },
  };
}
