/** Where a reader of an event stream is, as one text: the id of its events, which browsers send back as `Last-Event-ID`. */

export interface StreamPosition {
  readonly logId: string;
  /** Seqs by room id. */
  readonly rooms: Readonly<Record<string, number>>;
}

/** Rooms that a cursor names: those with the newest events. A client finds out about the others by the welcome. */
const roomsMax = 100;

export function writeCursor({ logId, rooms }: StreamPosition): string {
  return Buffer.from(JSON.stringify({ logId, rooms })).toString('base64url');
}

/** @returns undefined for a text that is no cursor: the stream then starts from the beginning */
export function readCursor(text: string): StreamPosition | undefined {
  try {
    const value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Partial<StreamPosition> | null;
    const { logId, rooms } = value ?? {};
    const isPosition = typeof logId === 'string' && typeof rooms === 'object' && rooms !== null;
    return isPosition ? { logId, rooms } : undefined;
  } catch {
    return undefined;
  }
}

/** Follows what a stream has sent. */
export class StreamCursor {
  #logId: string | undefined;
  /** The rooms with the newest events last. */
  readonly #seqs = new Map<string, number>();

  constructor(start: StreamPosition | undefined) {
    for (const [roomId, seq] of Object.entries(start?.rooms ?? {})) this.#seqs.set(roomId, Number(seq));
  }

  /** @returns whether the position has moved */
  take({ type, roomId, seq, logId, rooms }: StreamFrame): boolean {
    if (type === 'welcome') {
      this.#logId = logId;
      for (const room of rooms as readonly { id: string; seq: number }[])
        if (!this.#seqs.has(room.id)) this.#seqs.set(room.id, room.seq);
      return true;
    }
    if (type === 'room.left' && roomId !== undefined) return this.#seqs.delete(roomId);
    if (roomId === undefined || seq === undefined) return false;
    this.#seqs.delete(roomId);
    this.#seqs.set(roomId, seq);
    return true;
  }

  text(): string | undefined {
    if (this.#logId === undefined) return undefined;
    return writeCursor({ logId: this.#logId, rooms: Object.fromEntries([...this.#seqs].slice(-roomsMax)) });
  }
}

/** A frame of the server, as far as a cursor looks at it. */
export interface StreamFrame {
  readonly type: string;
  readonly roomId?: string;
  readonly seq?: number;
  readonly logId?: string;
  readonly rooms?: unknown;
}
