/** The thread that is open beside its room. */
import { ClientError, knownMessage, type Message, threadMessages } from '../../client/parley-client.ts';
import type { ChatHolder, ChatState, ThreadView } from './chat-state.ts';
import { explainRefusal } from './refusal-words.ts';
import type { RoomStores } from './room-stores.ts';

export class ThreadViews {
  readonly #holder: ChatHolder;
  readonly #stores: RoomStores;
  #readUpTo = 0;

  constructor(holder: ChatHolder, stores: RoomStores) {
    this.#holder = holder;
    this.#stores = stores;
  }

  /** Opens a thread, or closes the one that is open. */
  async open(roomId: string, threadId: string | undefined): Promise<void> {
    const { thread } = this.#holder.state;
    if (threadId === thread?.threadId) return;
    this.#readUpTo = 0;
    if (threadId === undefined) {
      this.#holder.set({ thread: undefined });
      return;
    }
    const from = Number.POSITIVE_INFINITY;
    this.#holder.set({ thread: { roomId, threadId, from, hasOlder: true, loading: false, problem: '' } });
    await this.load();
  }

  /** Reads the newest messages of the open thread, or those before the ones that are shown. */
  async load(): Promise<void> {
    const { thread } = this.#holder.state;
    if (!thread || thread.loading || !thread.hasOlder) return;
    const { roomId, threadId, from } = thread;
    this.#change(threadId, { loading: true, problem: '' });
    try {
      if (!knownMessage(this.#stores.of(roomId), threadId)) await this.#stores.readMessage(roomId, threadId);
      await this.#stores.read(
        () => this.#holder.client.thread(roomId, threadId, Number.isFinite(from) ? { before: from } : {}),
        ({ messages, hasMore, seq }, all) => {
          const during = all.filter((event) => event.roomId === roomId);
          this.#stores.change(roomId, { type: 'messages', messages, seq, during });
          this.#change(threadId, { loading: false, hasOlder: hasMore, from: hasMore ? messages[0]!.seq : 0 });
        },
      );
    } catch (error) {
      this.#change(threadId, { loading: false, problem: explainRefusal(error) });
    }
  }

  /** Tries again after messages could not be loaded, or after events were left out. */
  async reload(): Promise<void> {
    const { thread } = this.#holder.state;
    if (!thread) return;
    this.#change(thread.threadId, { from: Number.POSITIVE_INFINITY, hasOlder: true, loading: false, problem: '' });
    await this.load();
  }

  /** Marks what is shown as read. To be called only when the newest end was in view. */
  markRead(): void {
    const { thread } = this.#holder.state;
    const newest = thread && shownThread(this.#holder.state).at(-1)?.seq;
    if (!thread || !newest || newest <= this.#readUpTo) return;
    this.#readUpTo = newest;
    this.#holder.client.markThreadRead(thread.roomId, thread.threadId, newest).catch((error: unknown) => {
      if (!(error instanceof ClientError)) throw error;
    });
  }

  #change(threadId: string, change: Partial<ThreadView>): void {
    const { thread } = this.#holder.state;
    if (thread?.threadId === threadId) this.#holder.set({ thread: { ...thread, ...change } });
  }
}

/** The messages of the open thread, without the one that starts it. */
export function shownThread({ thread, stores }: ChatState): readonly Message[] {
  const store = thread && stores.get(thread.roomId);
  return store ? threadMessages(store, thread.threadId).filter(({ seq }) => seq >= thread.from) : [];
}
