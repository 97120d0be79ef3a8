/**
 * One room as this instance follows it: its position in the log, the state that the events up to there add up to, the local readers,
 * and the newest events as bytes. It takes events in seq order only.
 */
import assert from 'node:assert/strict';
import type { Connection } from '../socket/connection.ts';
import { type FeedFrame, toFeedFrame } from './hidden-events.ts';

/** One log entry on its way to readers. `json` is the frame's payload, the same for every reader who may read what it is about. */
export interface FeedEvent {
  readonly seq: number;
  readonly json: string;
}

/** What an event changes about the readers of its room. */
export interface ReaderChange {
  /** This user's connections read from this event on. */
  readonly joined?: string;
  /** This user's connections stop reading after this event. */
  readonly left?: { readonly userId: string; readonly reason: string };
  /** Watchers of a public room stop reading after this event. */
  readonly watchersLeave?: boolean;
  /** The room is deleted by this event. */
  readonly closed?: boolean;
  /** Earlier frames in memory are outdated, for example because a message was edited. */
  readonly forgetRecent?: boolean;
}

/** The state that a room's events add up to. Its implementation (`chat/state`) knows what the events mean. */
export interface FeedState {
  /** Applies the event. Called once per event, in seq order. */
  readonly apply: (type: string, event: FeedEvent) => ReaderChange | undefined;
  readonly isMember: (userId: string) => boolean;
  /** Whether users who are not members may watch the room. */
  readonly isPublic: () => boolean;
  /** The first seq the user may read: 1 where history is open, beyond all seqs for users who are not members elsewhere. */
  readonly readableFrom: (userId: string) => number;
  /** Whether some readers may not read messages from before they came. */
  readonly hidesEarlier: () => boolean;
  /** The seq of the event that began the user's present membership; undefined if the user is no member. */
  readonly joinedSeq: (userId: string) => number | undefined;
  /** How many members are held in memory. */
  readonly weight: () => number;
}

/** The log in Postgres. Calls within one tick share a query. */
export interface LogSource<State extends FeedState> {
  /** Position and state as of one moment; undefined if there is no such room. */
  readonly load: (roomId: string) => Promise<{ position: number; state: State } | undefined>;
  /** Events after `after`, at most `limit`, in seq order. */
  readonly read: (roomId: string, after: number, limit: number) => Promise<readonly FeedEvent[]>;
  readonly heads: (roomIds: readonly string[]) => Promise<ReadonlyMap<string, number>>;
}

export interface RecentBounds {
  readonly recentEvents: number;
  readonly recentBytes: number;
}

interface Recent {
  readonly seq: number;
  readonly frame: FeedFrame;
}

/** The type of an event, read from its JSON without parsing it: every event begins `{"type":"…"`. */
export function eventType(json: string): string {
  return json.slice(9, json.indexOf('"', 9));
}

export class Feed<State extends FeedState = FeedState> {
  readonly roomId: string;
  state: State;
  position: number;
  readonly readers = new Set<Connection>();
  readonly watchers = new Set<Connection>();
  /** Frames taken in but not yet given to the readers' sockets. */
  pending: FeedFrame[] = [];
  /** When the first of them came, by the monotonic clock. */
  pendingSinceMs = 0;
  /** Callers that use the feed right now, for example a commit under way: it must stay in memory. */
  pins = 0;
  closed = false;
  /** The seq after which each watcher reads. */
  readonly #watchedAfter = new WeakMap<Connection, number>();
  /**
   * The newest event that ended somebody's reading, or a later one. A signal of another instance that knows of a newer one waits for
   * it: see `hub.ts`.
   */
  readingEndedSeq: number;
  #recent: Recent[] = [];
  #recentBytes = 0;

  constructor(roomId: string, position: number, state: State) {
    this.roomId = roomId;
    this.position = position;
    this.state = state;
    this.readingEndedSeq = position;
  }

  get readerCount(): number {
    return this.readers.size + this.watchers.size;
  }

  get recentBytes(): number {
    return this.#recentBytes;
  }

  /** Adds a connection that reads on from the feed's position without being a member's. */
  addWatcher(connection: Connection): void {
    if (this.watchers.has(connection)) return;
    this.watchers.add(connection);
    this.#watchedAfter.set(connection, this.position);
  }

  /** The first seq of messages that a reader may know of. */
  shownFrom(connection: Connection): number {
    if (!this.state.hidesEarlier()) return 1;
    const isWatcher = this.watchers.has(connection);
    return isWatcher ? (this.#watchedAfter.get(connection) ?? 0) + 1 : this.state.readableFrom(connection.user!.userId);
  }

  /** Sets the feed to what another log says of the room. It must have no readers. */
  replace(position: number, state: State): void {
    assert(this.readerCount === 0, 'a feed with readers is replaced');
    this.position = position;
    this.readingEndedSeq = position;
    this.state = state;
    this.closed = false;
    this.pending = [];
    this.forgetRecent();
  }

  /** Takes the next event. */
  take(event: FeedEvent, bounds: RecentBounds): ReaderChange | undefined {
    assert(event.seq === this.position + 1, 'a feed takes events in seq order');
    const change = this.state.apply(eventType(event.json), event);
    this.position = event.seq;
    if (change?.forgetRecent) this.forgetRecent();
    if (change?.left || change?.watchersLeave || change?.closed) this.readingEndedSeq = event.seq;
    const frame = toFeedFrame(event.json, this.state.hidesEarlier());
    if (this.pending.length === 0) this.pendingSinceMs = performance.now();
    this.pending.push(frame);
    this.#recent.push({ seq: event.seq, frame });
    this.#recentBytes += frame.bytes.length;
    while (this.#recent.length > bounds.recentEvents || this.#recentBytes > bounds.recentBytes) {
      this.#recentBytes -= this.#recent.shift()!.frame.bytes.length;
    }
    return change;
  }

  /** The frames after `seq` up to the position, or undefined where memory does not reach back that far. */
  framesAfter(seq: number): FeedFrame[] | undefined {
    if (seq >= this.position) return [];
    const first = this.#recent[0];
    if (first === undefined || first.seq > seq + 1) return undefined;
    return this.#recent.slice(seq + 1 - first.seq).map((recent) => recent.frame);
  }

  forgetRecent(): void {
    this.#recent = [];
    this.#recentBytes = 0;
  }
}
