/**
 * Replays from the log, by pages and at the pace of the peer: what a connection has to catch up with is read when there is room for
 * it, however many rooms it resumes, so that it is neither kept in memory nor takes the reader for a slow one.
 */
import { createGate, type Gate } from '../../concurrency/gate.ts';
import { type Connection, isGone } from '../socket/connection.ts';
import { frameText } from '../socket/frame-codec.ts';
import type { FeedEvent } from './feed.ts';

/** Pages in memory for one connection. */
const pagesAtOnce = 4;
/** Events of a connection's first page; later ones grow as long as they fit, and are no larger than what fits. */
const firstPageEvents = 64;

export interface ReplayedPage {
  /** Events that were pushed; the first of them follows the position asked for. */
  readonly pushed: number;
  /** The last seq that was read, 0 where nothing was. */
  readonly seen: number;
}

/**
 * @returns reads the page after `after` and pushes of it what comes up to `upTo`, the last seq that the reader is known to be
 *   entitled to: what came since may follow the end of their membership
 */
export function createPacedReplay({
  log,
  pageEvents,
}: {
  log: { readonly read: (roomId: string, after: number, limit: number) => Promise<readonly FeedEvent[]> };
  pageEvents: number;
}): (connection: Connection, place: { roomId: string; after: number; upTo: number }) => Promise<ReplayedPage> {
  const pages = new WeakMap<Connection, ConnectionPages>();

  return async (connection, { roomId, after, upTo }) => {
    const own = pages.get(connection) ?? { gate: createGate({ max: pagesAtOnce }), pageEvents: firstPageEvents };
    pages.set(connection, own);
    const leave = await own.gate.enter();
    try {
      // Read when there is room for it; what does not fit is read again rather than kept for a peer that may never take it.
      while (!isGone(connection) && !connection.hasRoomFor(0, 1)) await connection.drained();
      const wanted = Math.min(pageEvents, own.pageEvents);
      const events = isGone(connection) ? [] : await log.read(roomId, after, wanted);
      const page = events.filter((event) => event.seq <= upTo).map((event) => frameText(event.json));
      let pushed = pushFitting(connection, page);
      own.pageEvents = pushed < page.length ? Math.max(1, pushed) : Math.min(pageEvents, own.pageEvents * 2);
      // What others of this connection left is too little: one event is waited for, so that all go on.
      while (pushed === 0 && page.length > 0 && !isGone(connection)) {
        await connection.drained();
        pushed = pushFitting(connection, page.slice(0, 1));
      }
      return { pushed, seen: events.at(-1)?.seq ?? 0 };
    } finally {
      leave();
    }
  };
}

/** Pushes as many of a replay's frames as the connection has room for. @returns their number */
export function pushFitting(connection: Connection, frames: readonly Buffer[]): number {
  let [bytes, count] = [0, 0];
  for (const { length } of frames) {
    if (!connection.hasRoomFor(bytes + length, count + 1)) break;
    bytes += length;
    count += 1;
  }
  if (count > 0) connection.push(Buffer.concat(frames.slice(0, count)), count);
  return count;
}

/** The replays of one connection. */
interface ConnectionPages {
  readonly gate: Gate;
  /** Events of the next page. */
  pageEvents: number;
}
