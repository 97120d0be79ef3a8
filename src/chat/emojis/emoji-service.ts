/** Custom emoji of the deployment. Moderators add and delete them; everybody sees them. */
import type { Database } from '../../database/connect.ts';
import { newId } from '../../database/new-id.ts';
import { Failure } from '../../errors.ts';
import type { JudgeText } from '../rooms/room-texts.ts';
import type { RecordAct } from '../state/moderator-acts.ts';
import type { Actor } from '../state/room-state.ts';
import type { EmojiForm } from './emoji-form.ts';
import { type PictureSettings, requirePicture } from './emoji-picture.ts';
import {
  deleteEmoji,
  findImage,
  hasEmoji,
  insertEmoji,
  lockAndCount,
  readEmojis,
  type StoredEmoji,
} from './emoji-repository.ts';

export interface Emoji {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly url: string;
  readonly createdBy: string;
  readonly createdAt: string;
}

export interface EmojiService {
  /** By name, after a name. */
  readonly list: (after: string, limit: number) => Promise<Emoji[]>;
  /** Whether there is one of this name. */
  readonly has: (name: string) => Promise<boolean>;
  /**
   * @returns the emoji; the one that is there if it has the same picture, so that a repeat changes nothing
   * @throws Failure `conflict`, `invalid`, `too_large`, `message_blocked`
   */
  readonly create: (actor: Actor, form: EmojiForm) => Promise<{ emoji: Emoji; isNew: boolean }>;
  /** Reactions with it stay, as its text. @throws Failure `not_found` */
  readonly remove: (actor: Actor, name: string) => Promise<void>;
  /** @throws Failure `not_found` */
  readonly image: (name: string) => Promise<{ id: string; type: string; image: Buffer }>;
}

export interface EmojiServiceOptions {
  readonly db: Database;
  readonly judgeText: JudgeText;
  readonly recordAct: RecordAct;
  readonly settings: PictureSettings & {
    /** Custom emoji of the deployment. */
    readonly max: number;
  };
}

export function createEmojiService({ db, judgeText, recordAct, settings }: EmojiServiceOptions): EmojiService {
  async function create(actor: Actor, { name, file }: EmojiForm): Promise<{ emoji: Emoji; isNew: boolean }> {
    const type = await requirePicture(file, settings);
    await judgeText(name, 'name', actor);
    const { stored, isNew } = await db.transaction(async (tx) => {
      const count = await lockAndCount(tx);
      const same = await findImage(tx, name);
      if (same?.image.equals(file)) return { stored: same, isNew: false };
      if (same) throw new Failure('conflict', 'there is an emoji of this name');
      if (count >= settings.max) throw new Failure('conflict', `at most ${settings.max} custom emoji`);
      const added = await insertEmoji(tx, { id: newId(), name, type, image: file, createdBy: actor.userId });
      await recordAct(tx, {
        action: 'emoji.create',
        actorId: actor.userId,
        targetId: added.id,
        details: { name },
      });
      return { stored: added, isNew: true };
    });
    return { emoji: toEmoji(stored), isNew };
  }

  async function remove(actor: Actor, name: string): Promise<void> {
    await db.transaction(async (tx) => {
      const id = await deleteEmoji(tx, name);
      if (id === undefined) throw new Failure('not_found', 'no such emoji');
      await recordAct(tx, { action: 'emoji.delete', actorId: actor.userId, targetId: id, details: { name } });
    });
  }

  return {
    list: async (after, limit) => (await readEmojis(db, after, limit)).map(toEmoji),
    has: (name) => hasEmoji(db, name),
    create,
    remove,
    image: async (name) => {
      const found = await findImage(db, name);
      if (!found) throw new Failure('not_found', 'no such emoji');
      return found;
    },
  };
}

/** The version in the URL makes it another one if a deleted name is used again. */
function toEmoji({ id, name, type, createdBy, createdAt }: StoredEmoji): Emoji {
  const url = `/v1/emojis/${name}/image?v=${id}`;
  return { id, name, type, url, createdBy, createdAt: createdAt.toISOString() };
}
