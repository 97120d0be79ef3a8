/** Who may fetch a file: its uploader before it is sent, then everybody who may read the message, or who has a valid link. */
import { LRUCache } from 'lru-cache';
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { Actor, RoomState } from '../state/room-state.ts';
import { type FetchableFile, findFetchable } from './attachment-repository.ts';

export interface AttachmentAccess {
  /** @throws Failure `not_found` for a file that is not there, or that no message shows any more */
  readonly findByLink: (id: string) => Promise<FetchableFile>;
  /** The same for a login. @throws Failure `not_found`, `banned` */
  readonly findFor: (actor: Actor, id: string) => Promise<FetchableFile>;
}

export interface AttachmentAccessOptions {
  readonly db: Database;
  readonly followToRead: (actor: Actor, roomId: string) => Promise<Feed<RoomState>>;
}

/** A player asks for a video in many ranges. A link must end 5 s after the deletion of its message, so this is well below. */
const knownForMs = 2000;
const knownMax = 10_000;

export function createAttachmentAccess({ db, followToRead }: AttachmentAccessOptions): AttachmentAccess {
  const known = new LRUCache<string, FetchableFile>({ max: knownMax, ttl: knownForMs });

  async function find(id: string): Promise<FetchableFile> {
    const file = known.get(id) ?? (await findFetchable(db, id));
    if (!file) throw notFound();
    // An unsent upload may become part of a message at any moment.
    if (file.messageId !== null) known.set(id, file, { noUpdateTTL: true });
    return file;
  }

  return {
    findByLink: find,
    findFor: async (actor, id) => {
      const file = await find(id);
      if (file.roomId === null || file.seq === null) {
        if (file.ownerId !== actor.userId) throw notFound();
        return file;
      }
      const { state } = await followToRead(actor, file.roomId).catch(hideRoom);
      if (file.seq < state.firstReadable(actor)) throw notFound();
      return file;
    },
  };
}

const notFound = () => new Failure('not_found', 'no such file');

/** A file of a room that does not exist for the caller does not exist either, and neither does its room's name. */
function hideRoom(error: unknown): never {
  throw error instanceof Failure && error.code === 'not_found' ? notFound() : error;
}
