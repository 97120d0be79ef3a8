/** Shows the previews of a message's links, and removes them for people who want none. */
import type { Database, Transaction } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import { may } from '../../permissions.ts';
import type { Judge } from '../../processing/client/processing-client.ts';
import type { DraftEvent, EventLog } from '../events/event-log.ts';
import type { ExtrasLoader } from '../messages/extras-loader.ts';
import type { MessageReading } from '../messages/message-reading.ts';
import { lockMessage, type MessageVersion } from '../messages/message-version-repository.ts';
import { webLinks } from '../state/message-links.ts';
import { messageMarks } from '../state/message-marks.ts';
import type { RecordAct } from '../state/moderator-acts.ts';
import type { Actor } from '../state/room-state.ts';
import { findPages, type PageText } from './link-page-repository.ts';
import type { PreviewPictures } from './preview-pictures.ts';
import {
  closePreviews,
  findPreviewed,
  findStored,
  type MessagePlace,
  type StoredPreview,
  storePreviews,
} from './preview-repository.ts';

export interface PreviewServiceOptions {
  readonly db: Database;
  readonly eventLog: Pick<EventLog, 'transact'>;
  readonly judge: Judge;
  readonly reading: Pick<MessageReading, 'findToActOn'>;
  readonly snapshot: ExtrasLoader['snapshot'];
  readonly pictures: PreviewPictures;
  readonly recordAct: RecordAct;
  readonly settings: {
    readonly perMessage: number;
    /** Of Parley itself. */
    readonly ownOrigin: string;
  };
}

export interface PreviewService {
  /** Shows what was found of the message's links. Safe to repeat. @throws NoVerdict; what an append throws */
  readonly show: (place: MessagePlace) => Promise<void>;
  /** Removes the previews for good. @throws Failure `not_found`, `forbidden` */
  readonly remove: (actor: Actor, place: MessagePlace) => Promise<void>;
}

export function createPreviewService(options: PreviewServiceOptions): PreviewService {
  const { db, eventLog, judge, pictures, settings } = options;
  const linksOf = (html: string) => webLinks(html, { max: settings.perMessage, ownOrigin: settings.ownOrigin });

  async function show(place: MessagePlace): Promise<void> {
    const message = await findPreviewed(db, place);
    if (!message || message.isClosed) return;
    const links = linksOf(message.html);
    const pages = await findPages(
      db,
      links.map(({ target }) => target),
    );
    const found = links.flatMap(({ url, target }) => {
      const page = pages.get(target);
      return page ? [{ url, text: page.page, picture: page.picture }] : [];
    });
    const allowed = await keepAllowed(place.messageId, found);
    // A second run, or an edit that left the links as they are.
    if (isShown(allowed.map(toPreview), message.previews)) return;
    const previews = await storePictures(message.authorId, allowed);
    await eventLog.transact(place.roomId, async ({ tx, state }) => {
      const current = state.deleted ? undefined : await lockMessage(tx, place);
      // Another version has links of its own, and a job that fetches them.
      if (!current || current.deleted || !isSame(linksOf(current.html), links)) return nothing;
      const { previews: before, isClosed } = await findStored(tx, place.messageId);
      if (isClosed || isShown(previews, before)) return nothing;
      await storePreviews(tx, place, previews);
      await pictures.remove(tx, pictureIds(before));
      for (const id of pictureIds(previews)) await pictures.show(tx, id, { ...place, authorId: current.authorId });
      return { events: [await updated(tx, place, current, current.authorId)], answer: undefined };
    });
  }

  /** A page may say of itself what a message may not. */
  async function keepAllowed(messageId: string, found: readonly FoundPage[]): Promise<FoundPage[]> {
    const allowed = await Promise.all(
      found.map(async ({ text: { siteName, title, description } }) => {
        const text = [siteName, title, description].filter(Boolean).join('\n');
        return (
          text === '' || (await judge({ key: `preview of ${messageId}`, text, kind: 'topic' })).outcome === 'allow'
        );
      }),
    );
    return found.filter((_, at) => allowed[at]);
  }

  /** @returns the previews that have something to show */
  async function storePictures(authorId: string, pages: readonly FoundPage[]): Promise<StoredPreview[]> {
    const previews = await Promise.all(
      pages.map(async (page) => {
        const pictureId = page.picture === null ? null : await pictures.store(authorId, page.picture);
        return { ...toPreview(page), pictureId };
      }),
    );
    return previews.filter(({ title, description, pictureId }) => (title ?? description ?? pictureId) !== null);
  }

  /** The event brings no new version: it shows the present one with what it has now. */
  async function updated(
    tx: Transaction,
    place: MessagePlace,
    current: MessageVersion,
    actorId: string,
  ): Promise<DraftEvent> {
    const { messageId } = place;
    const shown = await options.snapshot(tx, { id: messageId, marks: current.marks | messageMarks.previews });
    const editedAt = current.version > 0 ? current.at.toISOString() : null;
    const data = { versionSeq: current.seq, editedAt, ...(shown ? { shown } : {}) };
    return { type: 'message.updated', actorId, messageId, data };
  }

  async function remove(actor: Actor, place: MessagePlace): Promise<void> {
    const { roomId, messageId } = place;
    await options.reading.findToActOn(actor, roomId, messageId);
    await eventLog.transact(roomId, async ({ tx, state }) => {
      const current = await lockMessage(tx, place);
      if (current.deleted) throw new Failure('not_found', 'no such message');
      const isOwn = current.authorId === actor.userId && may(state.standingOf(actor), 'edit_own');
      if (!isOwn) state.require(actor, 'delete_any');
      const { previews, isClosed } = await findStored(tx, messageId);
      if (isClosed) return nothing;
      await closePreviews(tx, place);
      await pictures.remove(tx, pictureIds(previews));
      if (!isOwn) {
        const act = { action: 'message.remove_previews', actorId: actor.userId, roomId, targetId: messageId };
        await options.recordAct(tx, { ...act, details: { authorId: current.authorId } });
      }
      return {
        events: previews.length === 0 ? [] : [await updated(tx, place, current, actor.userId)],
        answer: undefined,
      };
    });
  }

  return { show: (place) => show(place).catch(unlessGone), remove };
}

const nothing = { events: [], answer: undefined };

/** What was found of a link. */
interface FoundPage {
  readonly url: string;
  readonly text: PageText;
  readonly picture: Buffer | null;
}

function toPreview({ url, text: { title, description, siteName } }: FoundPage): StoredPreview {
  return { url, title, description, siteName, pictureId: null };
}

function pictureIds(previews: readonly StoredPreview[]): string[] {
  return previews.flatMap(({ pictureId }) => (pictureId === null ? [] : [pictureId]));
}

function isSame(some: readonly { readonly url: string }[], others: readonly { readonly url: string }[]): boolean {
  return some.length === others.length && some.every(({ url }, at) => url === others[at]!.url);
}

/** Whether the previews are these. Another picture alone is no reason to change a message. */
function isShown(wanted: readonly StoredPreview[], shown: readonly StoredPreview[]): boolean {
  return (
    isSame(wanted, shown) &&
    wanted.every(({ title, description, siteName }, at) => {
      const other = shown[at]!;
      return title === other.title && description === other.description && siteName === other.siteName;
    })
  );
}

/** The room, or the message, is gone: its previews are as well. */
function unlessGone(error: unknown): void {
  if (!(error instanceof Failure) || error.code !== 'not_found') throw error;
}
