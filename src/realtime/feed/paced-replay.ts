/**
 * Replays a room from the log, page by page and at the pace of the client. The next page is read when the connection has room for it,
 * however many rooms it resumes. So pages are not kept in memory, and a replay does not make the reader look slow.
 */
import { createGate, type Gate } from '../../concurrency/gate.ts';
import { type Connection, isGone } from '../socket/connection.ts';
import { frameText } from '../socket/frame-codec.ts';
import type { FeedEvent } from './feed.ts';
import { shownJson } from './hidden-events.ts';

/** Pages of one connection that are in memory at once. */
const pagesAtOnce = 4;
/** Events of a connection's first page. Later pages grow as long as they fit, and shrink to what fits. */
const firstPageEvents = 64;

export interface ReplayedPage {
  /** Events that were pushed. The first one is the event after the requested position. */
  readonly pushed: number;
  /** The last seq that was read; 0 if no event was. */
  readonly seen: number;
}

/**
 * @returns a function that reads the page after `after` and pushes its events up to `upTo`, the last seq that the reader is known to
 *   be entitled to. Later events may follow the end of the membership. `from` is the first seq of messages that it may read
 */
export function createPacedReplay({
  log,
  pageEvents,
}: {
  log: { readonly read: (roomId: string, after: number, limit: number) => Promise<readonly FeedEvent[]> };
  pageEvents: number;
}): (
  connection: Connection,
  place: { roomId: string; after: number; upTo: number; from: number },
) => Promise<ReplayedPage> {
  const pages = new WeakMap<Connection, ConnectionPages>();

  return async (connection, { roomId, after, upTo, from }) => {
    const own = pages.get(connection) ?? { gate: createGate({ max: pagesAtOnce }), pageEvents: firstPageEvents };
    pages.set(connection, own);
    const leave = await own.gate.enter();
    try {
      // Read only when there is room. Events that do not fit are read again rather than kept for a client that may never take them.
      while (!isGone(connection) && !connection.hasRoomFor(0, 1)) await connection.drained();
      const wanted = Math.min(pageEvents, own.pageEvents);
      const events = isGone(connection) ? [] : await log.read(roomId, after, wanted);
      const entitled = events.filter((event) => event.seq <= upTo);
      const page = entitled.map((event) => frameText(shownJson(event.json, from)));
      let pushed = pushFitting(connection, page);
      own.pageEvents = pushed < page.length ? Math.max(1, pushed) : Math.min(pageEvents, own.pageEvents * 2);
      // The other rooms of this connection left too little room. Waiting for one event keeps all of them going.
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
