/** Which part of each room's history is shown: the newest messages, or those around one that a link led to. */
import { type HistoryPage, isInRoom, type Message, roomMessages } from '../../client/parley-client.ts';
import { type ChatHolder, emptyView, type RoomView } from './chat-state.ts';
import { explainRefusal } from './refusal-words.ts';
import type { RoomStores } from './room-stores.ts';

/** The most messages that are read back at once, to the oldest unread one or to those that were shown before. */
const readBackMax = 500;
/** The server's bound for one page. */
const pageMax = 100;

export class HistoryViews {
  readonly #holder: ChatHolder;
  readonly #stores: RoomStores;

  constructor(holder: ChatHolder, stores: RoomStores) {
    this.#holder = holder;
    this.#stores = stores;
  }

  #set(roomId: string, change: Partial<RoomView>): void {
    const { views } = this.#holder.state;
    const view = { ...(views.get(roomId) ?? emptyView), ...change };
    const messages = roomMessages(this.#stores.of(roomId), view);
    this.#holder.set({ views: new Map(this.#holder.state.views).set(roomId, { ...view, messages }) });
  }

  /** Shows a room's newest messages, back to the first one that was not read. */
  async open(roomId: string): Promise<void> {
    if (this.#holder.state.views.has(roomId)) return;
    const room = this.#holder.state.rooms.get(roomId);
    await this.reload(roomId, room && room.unread > 0 ? room.lastReadSeq + 1 : Number.POSITIVE_INFINITY);
  }

  /** Reads the newest messages again, and back to those that were shown before. */
  async reload(roomId: string, backTo = this.#holder.state.views.get(roomId)?.messages[0]?.seq): Promise<void> {
    await this.#load(
      roomId,
      () => this.#readBack(roomId, backTo ?? Number.POSITIVE_INFINITY),
      (page) => ({
        from: page.hasMore ? (page.messages[0]?.seq ?? 0) : 0,
        to: Number.POSITIVE_INFINITY,
        hasOlder: page.hasMore,
      }),
    );
  }

  async loadOlder(roomId: string): Promise<void> {
    const view = this.#holder.state.views.get(roomId);
    const oldest = view?.messages[0];
    if (!view || !oldest || view.loading || !view.hasOlder || view.problem) return;
    await this.#load(
      roomId,
      () => this.#holder.client.history(roomId, { before: oldest.seq }),
      (page) => ({
        from: page.hasMore ? (page.messages[0]?.seq ?? view.from) : 0,
        hasOlder: page.hasMore,
      }),
    );
  }

  async loadNewer(roomId: string): Promise<void> {
    const view = this.#holder.state.views.get(roomId);
    if (!view || view.loading || view.problem || view.to === Number.POSITIVE_INFINITY) return;
    await this.#load(
      roomId,
      () => this.#holder.client.history(roomId, { after: view.to }),
      (page) => ({
        to: page.hasMore ? (page.messages.at(-1)?.seq ?? view.to) : Number.POSITIVE_INFINITY,
      }),
    );
  }

  /** Shows the newest messages after those around an older one. */
  async toNewest(roomId: string): Promise<void> {
    if (this.#holder.state.views.get(roomId)?.to !== Number.POSITIVE_INFINITY) await this.reload(roomId, Infinity);
  }

  /** Tries again after messages could not be loaded. */
  async loadAgain(roomId: string): Promise<void> {
    const some = (this.#holder.state.views.get(roomId)?.messages.length ?? 0) > 0;
    this.#set(roomId, { problem: '' });
    await (some ? this.loadOlder(roomId) : this.reload(roomId));
  }

  /**
   * Shows the messages around one of them. @returns the message; one that is in a thread alone is not shown here
   * @throws ClientError
   */
  async showAround(roomId: string, messageId: string): Promise<Message> {
    const message = await this.#holder.client.message(roomId, messageId);
    const view = this.#holder.state.views.get(roomId);
    const isShown = view && !view.loading && message.seq >= view.from && message.seq <= view.to;
    if (isShown || !isInRoom(message)) return message;
    await this.#load(
      roomId,
      () => this.#holder.client.history(roomId, { around: message.seq }),
      (page) => {
        const [first, last] = [page.messages[0]?.seq ?? message.seq, page.messages.at(-1)?.seq ?? message.seq];
        const newest = this.#holder.state.rooms.get(roomId)?.lastMessage?.seq ?? last;
        return { from: first, to: last >= newest ? Number.POSITIVE_INFINITY : last, hasOlder: true };
      },
    );
    return message;
  }

  async #load(
    roomId: string,
    ask: () => Promise<HistoryPage>,
    rangeOf: (page: HistoryPage) => Partial<RoomView>,
  ): Promise<void> {
    this.#set(roomId, { loading: true, problem: '' });
    try {
      await this.#stores.read(ask, (page, during) => {
        const { messages, seq } = page;
        const concerned = during.filter((event) => event.roomId === roomId);
        this.#stores.change(roomId, { type: 'messages', messages, seq, during: concerned });
        this.#set(roomId, { ...rangeOf(page), loading: false });
      });
    } catch (error) {
      this.#set(roomId, { loading: false, problem: explainRefusal(error) });
    }
  }

  /** The newest messages and those before them, until `seq` is among them or `readBackMax` is reached. */
  async #readBack(roomId: string, seq: number): Promise<HistoryPage> {
    let { messages, hasMore, seq: readAt } = await this.#holder.client.history(roomId);
    while (hasMore && messages.length < readBackMax && messages[0]!.seq > seq) {
      const older = await this.#holder.client.history(roomId, { before: messages[0]!.seq, limit: pageMax });
      messages = [...older.messages, ...messages];
      hasMore = older.hasMore;
      readAt = Math.min(readAt, older.seq);
    }
    return { messages, hasMore, seq: readAt };
  }
}
