/**
 * Drafts that follow their author from device to device. Nobody else reads them, so they are not judged: a text is judged
 * when it is sent. The last write wins, by Postgres' clock. Sending a message leaves the draft alone: the client deletes
 * it once the message is acked, and only if nothing else was typed since (docs/conversation/drafts.md).
 */
import { createSerial } from '../../concurrency/serial.ts';
import type { Database, Transaction } from '../../database/connect.ts';
import type { PersonalData } from '../../database/personal-data.ts';
import { onePage } from '../../database/personal-data.ts';
import { Failure, invalid } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import { requireOptionalText } from '../state/message-text.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import {
  countOtherDrafts,
  type DraftKey,
  deleteDraft,
  deleteDraftsOf,
  exportDrafts,
  listDrafts,
  type SavedDraft,
  saveDraft,
} from './saved-draft-repository.ts';

/** The author of a draft, and the login that they write with. */
export interface DraftAuthor extends Actor {
  readonly sessionId: string | undefined;
}

export interface DraftPlace {
  readonly roomId: string;
  /** Any message of the thread. */
  readonly threadId: string | undefined;
}

export interface SavedDraftService {
  /** The author's drafts in the rooms that they are a member of, the newest first. */
  readonly list: (author: DraftAuthor) => Promise<SavedDraft[]>;
  /**
   * Keeps a draft in place of the one before. An empty draft deletes it.
   * @throws Failure `not_found`, `forbidden`, `invalid`, `too_large`, `conflict` at the bound of drafts
   */
  readonly put: (
    author: DraftAuthor,
    place: DraftPlace,
    draft: { readonly text: string; readonly attachmentIds: string[] },
  ) => Promise<SavedDraft>;
  /** A repeat changes nothing. @throws Failure `not_found`, `forbidden` */
  readonly remove: (author: DraftAuthor, place: DraftPlace) => Promise<void>;
}

export interface SavedDraftOptions {
  readonly db: Database;
  /** A room at its head as of now. @throws Failure `not_found` */
  readonly follow: (roomId: string) => Promise<Feed<RoomState>>;
  /** The message that starts the thread of a message, and its seq. */
  readonly findThread: (roomId: string, messageId: string) => Promise<{ threadId: string; seq: number } | undefined>;
  /** Sends a frame to all connections of a user. */
  readonly signalUser: (userId: string, json: string) => void;
  readonly settings: {
    /** Drafts of one user. */
    readonly perUser: number;
    /** Code points. */
    readonly maxLength: number;
  };
}

export function createSavedDraftService(options: SavedDraftOptions): SavedDraftService {
  const { db, follow, findThread, signalUser, settings } = options;
  const serial = createSerial();

  async function findKey(author: DraftAuthor, { roomId, threadId }: DraftPlace): Promise<DraftKey> {
    const { state } = await follow(roomId);
    state.require(author, 'post');
    const { userId } = author;
    if (threadId === undefined) return { userId, roomId, threadId: null };
    const thread = await findThread(roomId, threadId);
    if (!thread || thread.seq < state.firstReadable(author)) {
      throw new Failure('not_found', 'the thread is not in this room', {
        errors: [{ path: '/threadId', message: 'not a message of this room' }],
      });
    }
    return { userId, roomId, threadId: thread.threadId };
  }

  /** The other devices learn of it; the one that wrote it recognises its own session. */
  function announce({ userId, sessionId }: DraftAuthor, { roomId, ...draft }: SavedDraft): void {
    const data = { ...draft, sessionId: sessionId ?? null };
    signalUser(userId, JSON.stringify({ type: 'draft.updated', roomId, data }));
  }

  async function store(
    tx: Transaction,
    key: DraftKey,
    draft: { readonly text: string; readonly attachmentIds: string[] },
  ): Promise<Date> {
    // One write of a user at a time, so that the bound holds; and none after the account was erased.
    await lockAccount(tx, key.userId, 'no key update');
    if ((await countOtherDrafts(tx, key)) >= settings.perUser)
      throw new Failure('conflict', `at most ${settings.perUser} drafts; send or delete one first`);
    return saveDraft(tx, key, draft);
  }

  async function clear(author: DraftAuthor, key: DraftKey): Promise<SavedDraft> {
    const at = await db.transaction((tx) => deleteDraft(tx, key));
    const { roomId, threadId } = key;
    const empty = { roomId, threadId, text: '', attachmentIds: [], updatedAt: (at ?? new Date()).toISOString() };
    if (at) announce(author, empty);
    return empty;
  }

  return {
    list: ({ userId }) => listDrafts(db, userId),
    put: async (author, place, { text: source, attachmentIds }) => {
      if (new Set(attachmentIds).size < attachmentIds.length) throw invalid('/attachmentIds', 'names a file twice');
      const text = requireOptionalText(source, '/text', settings.maxLength);
      const key = await findKey(author, place);
      if (text.trim() === '' && attachmentIds.length === 0) return clear(author, key);
      const at = await serial(author.userId, () => db.transaction((tx) => store(tx, key, { text, attachmentIds })));
      const { roomId, threadId } = key;
      const draft = { roomId, threadId, text, attachmentIds, updatedAt: at.toISOString() };
      announce(author, draft);
      return draft;
    },
    remove: async (author, place) => {
      await clear(author, await findKey(author, place));
    },
  };
}

export function createSavedDraftData(db: Database): PersonalData {
  return {
    name: 'drafts',
    cut: (tx, { userId }) => deleteDraftsOf(tx, userId),
    exports: { drafts: onePage((userId) => exportDrafts(db, userId)) },
  };
}
