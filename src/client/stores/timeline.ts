/**
 * A part of the history of a room or a thread: the newest messages, or those around an older one. It grows at both ends, follows the events,
 * and ends with the user's own messages that are on their way.
 */

import type { HistoryPage, HistoryRange } from '../calls/room-calls.ts';
import { leave } from '../leave.ts';
import { ParleyError } from '../parley-error.ts';
import type { RoomStore } from '../room-store.ts';
import type { Message } from '../types.ts';
import { type ChatMessage, toChatMessage } from './chat-message.ts';
import type { KnownRooms } from './known-rooms.ts';
import { createDerived, createSource, isSameLoaded, type Loaded, type LoadedStore, type Store } from './live-store.ts';

export interface Timeline extends Loaded<ChatMessage> {
  /** There are messages before the first one. */
  readonly hasOlder: boolean;
  /** There are messages behind the last one: the newest ones are not shown, and messages of the outbox neither. */
  readonly hasNewer: boolean;
  readonly isLoadingOlder: boolean;
  readonly isLoadingNewer: boolean;
}

export interface MessageStore extends LoadedStore<Timeline> {
  /** Adds a page at the old end. Never rejects: see `error`. */
  readonly loadOlder: () => Promise<void>;
  /** Adds a page at the new end, after `showAround`. */
  readonly loadNewer: () => Promise<void>;
  /** Shows the messages around one of them: by its id, or by its seq. @throws ParleyError `not_found` */
  readonly showAround: (message: string | number) => Promise<void>;
  /** Goes back to the newest messages. */
  readonly showNewest: () => Promise<void>;
  /** Sends a failed message again, unchanged. @param message its `key`, `id` or `clientId` */
  readonly retry: (message: string) => Promise<void>;
  /** Removes a failed message. @returns its text, so that the user can edit and resend it; undefined where there is none */
  readonly discard: (message: string) => Promise<string | undefined>;
}

/** Which part of the history is shown. */
interface View {
  readonly status: Timeline['status'];
  readonly from: number;
  /** Infinite: the newest messages are shown. */
  readonly to: number;
  readonly hasOlder: boolean;
  readonly isLoadingOlder: boolean;
  readonly isLoadingNewer: boolean;
  readonly error?: ParleyError;
}

const emptyView: View = {
  status: 'idle',
  from: Number.POSITIVE_INFINITY,
  to: Number.POSITIVE_INFINITY,
  hasOlder: true,
  isLoadingOlder: false,
  isLoadingNewer: false,
};

/** The most messages that are read back at once, to those that were shown before. */
const readBackMax = 500;
/** The server's bound for one page. */
const pageMax = 100;

export interface TimelineOptions {
  readonly roomId: string;
  readonly rooms: KnownRooms;
  readonly ask: (range: HistoryRange) => Promise<HistoryPage>;
  /** The known messages between two seqs. */
  readonly select: (store: RoomStore, range: { readonly from: number; readonly to: number }) => readonly Message[];
  /** The seq of a message. @throws ParleyError */
  readonly seqOf: (messageId: string) => Promise<number>;
  /** The user's messages that are on their way. */
  readonly echoes: Store<readonly ChatMessage[]>;
  /** Resolves once there is a connection whose events follow what is read now, or none can be had. */
  readonly ready: () => Promise<void>;
}

export class TimelineReader {
  readonly #options: TimelineOptions;
  readonly #view = createSource<View>(emptyView);
  readonly store: LoadedStore<Timeline>;
  /** Counts reads that replace what is shown: an older one does not. */
  #round = 0;
  #isStale = false;

  constructor(options: TimelineOptions) {
    this.#options = options;
    const room = options.rooms.of(options.roomId);
    const derived = createDerived(
      [room, this.#view, options.echoes],
      (store, view, echoes) => this.#toTimeline(store, view, echoes),
      { isSame: isSameLoaded, onUse: () => leave(this.load()) },
    );
    this.store = {
      ...derived,
      load: async () => {
        await this.load();
        return derived.get();
      },
    };
  }

  #toTimeline(store: RoomStore, view: View, echoes: readonly ChatMessage[]): Timeline {
    const { from, to, status, hasOlder, isLoadingOlder, isLoadingNewer, error } = view;
    const known = status === 'idle' ? [] : this.#options.select(store, { from, to });
    const isNewest = to === Number.POSITIVE_INFINITY;
    const items = known.map(toChatMessage);
    return {
      status,
      items: isNewest && echoes.length > 0 ? [...items, ...echoes] : items,
      hasOlder,
      hasNewer: !isNewest,
      isLoadingOlder,
      isLoadingNewer,
      ...(error ? { error } : {}),
    };
  }

  #change(change: Partial<View>): void {
    const { error: _error, ...before } = this.#view.get();
    this.#view.set({ ...before, ...change });
  }

  /** Loads the newest messages, unless some are shown. */
  async load(): Promise<void> {
    const { status } = this.#view.get();
    if (status === 'idle' || status === 'failed') await this.#showNewest();
  }

  /** Events were left out, or may have been: what is shown is read again. */
  async reload(): Promise<void> {
    if (this.#view.get().status === 'idle') return;
    this.#isStale = true;
    await this.again();
  }

  /** To be called with each connection: makes up for reads that failed. */
  async again(): Promise<void> {
    const { status, to } = this.#view.get();
    if (status !== 'failed' && !this.#isStale) return;
    if (to === Number.POSITIVE_INFINITY) await this.#showNewest(this.#firstSeq());
    else await this.showAround(to);
  }

  /** Forgets what is shown: the user has left the room, or is another one. */
  clear(): void {
    this.#round += 1;
    this.#view.set(emptyView);
  }

  readonly loadOlder = async (): Promise<void> => {
    const { status, hasOlder, isLoadingOlder } = this.#view.get();
    const first = this.#firstSeq();
    if (status !== 'ready' || isLoadingOlder || !hasOlder || first === undefined) return;
    this.#change({ isLoadingOlder: true });
    await this.#grow(
      () => this.#options.ask({ before: first }),
      ({ hasMore, messages }) => ({
        isLoadingOlder: false,
        hasOlder: hasMore,
        from: hasMore ? (messages[0]?.seq ?? first) : 0,
      }),
      { isLoadingOlder: false },
    );
  };

  readonly loadNewer = async (): Promise<void> => {
    const { status, to, isLoadingNewer } = this.#view.get();
    if (status !== 'ready' || isLoadingNewer || to === Number.POSITIVE_INFINITY) return;
    this.#change({ isLoadingNewer: true });
    await this.#grow(
      () => this.#options.ask({ after: to }),
      ({ hasMore, messages }) => ({
        isLoadingNewer: false,
        to: hasMore ? (messages.at(-1)?.seq ?? to) : Number.POSITIVE_INFINITY,
      }),
      { isLoadingNewer: false },
    );
  };

  readonly showNewest = async (): Promise<void> => {
    const { status, to } = this.#view.get();
    if (status !== 'ready' || to !== Number.POSITIVE_INFINITY) await this.#showNewest();
  };

  readonly showAround = async (message: string | number): Promise<void> => {
    await this.#options.ready();
    const seq = typeof message === 'number' ? message : await this.#options.seqOf(message);
    const { status, from, to } = this.#view.get();
    if (status === 'ready' && !this.#isStale && seq >= from && seq <= to && this.#isKnown(seq)) return;
    await this.#replace(
      () => this.#options.ask({ around: seq }),
      ({ messages }, isAtEnd) => ({
        from: messages[0]?.seq ?? seq,
        to: isAtEnd ? Number.POSITIVE_INFINITY : (messages.at(-1)?.seq ?? seq),
        hasOlder: true,
      }),
    );
  };

  #firstSeq(): number | undefined {
    const { from, to } = this.#view.get();
    return this.#options.select(this.#options.rooms.of(this.#options.roomId).get(), { from, to })[0]?.seq;
  }

  #isKnown(seq: number): boolean {
    return this.#options.select(this.#options.rooms.of(this.#options.roomId).get(), { from: seq, to: seq }).length > 0;
  }

  async #showNewest(backTo = Number.POSITIVE_INFINITY): Promise<void> {
    await this.#replace(
      () => this.#readBack(backTo),
      ({ hasMore, messages }) => ({
        from: hasMore ? (messages[0]?.seq ?? 0) : 0,
        to: Number.POSITIVE_INFINITY,
        hasOlder: hasMore,
      }),
    );
  }

  /** Reads what is shown instead. */
  async #replace(
    ask: () => Promise<HistoryPage>,
    viewOf: (page: HistoryPage, isAtEnd: boolean) => Partial<View>,
  ): Promise<void> {
    this.#round += 1;
    const round = this.#round;
    if (this.#view.get().status !== 'ready') this.#change({ status: 'loading' });
    await this.#options.ready();
    try {
      await this.#read(ask, (page) => {
        if (round !== this.#round) return;
        this.#isStale = false;
        const view = viewOf(page, this.#isAtEnd(page));
        this.#change({ status: 'ready', isLoadingOlder: false, isLoadingNewer: false, ...view });
      });
    } catch (error) {
      if (round === this.#round) this.#fail(error, {});
    }
  }

  /** Reads a page that is added at one end. */
  async #grow(
    ask: () => Promise<HistoryPage>,
    viewOf: (page: HistoryPage) => Partial<View>,
    after: Partial<View>,
  ): Promise<void> {
    const round = this.#round;
    try {
      await this.#read(ask, (page) => {
        if (round === this.#round) this.#change(viewOf(page));
      });
    } catch (error) {
      if (round !== this.#round) return;
      this.#fail(error, { ...after, status: 'ready' });
    }
  }

  #fail(error: unknown, change: Partial<View>): void {
    if (!(error instanceof ParleyError)) throw error;
    this.#change({ status: 'failed', ...change, error });
  }

  async #read(ask: () => Promise<HistoryPage>, take: (page: HistoryPage) => void): Promise<void> {
    const { rooms, roomId } = this.#options;
    await rooms.read(ask, (page, all) => {
      const { messages, seq } = page;
      const during = all.filter((event) => event.roomId === roomId);
      rooms.change(roomId, { type: 'messages', messages, seq, during });
      take(page);
    });
  }

  /** Whether a page around a message ends with the newest one. */
  #isAtEnd({ messages, seq }: HistoryPage): boolean {
    const last = messages.at(-1)?.seq ?? seq;
    const newest = this.#options.rooms.of(this.#options.roomId).get().room?.lastMessage?.seq ?? seq;
    return last >= newest;
  }

  /** The newest messages and those before them, until `seq` is among them or `readBackMax` is reached. */
  async #readBack(seq: number): Promise<HistoryPage> {
    let { messages, hasMore, seq: readAt } = await this.#options.ask({});
    while (hasMore && messages.length < readBackMax && messages[0]!.seq > seq) {
      const older = await this.#options.ask({ before: messages[0]!.seq, limit: pageMax });
      messages = [...older.messages, ...messages];
      hasMore = older.hasMore;
      readAt = Math.min(readAt, older.seq);
    }
    return { messages, hasMore, seq: readAt };
  }
}
