/**
 * Messages that are being sent. Each keeps its `clientId` from the first attempt to the last, so that it is stored once however often it
 * is sent, and from whichever tab. It leaves the outbox only by a definite answer. Messages to a room keep their order.
 *
 * States of an entry: saving (not on the shelf yet, so it is not sent) → sending → stored (answered; its event is on the way) → removed.
 * sending → held (the server waits for a verdict) → removed; sending or held → failed → sending again, or discarded (removed).
 */
import { leave } from '../leave.ts';
import { backoffMs } from '../link/backoff.ts';
import { type ErrorData, fromErrorData, ParleyError, toErrorData } from '../parley-error.ts';
import type { MessageParts } from '../types.ts';

export interface OutboxMessage {
  readonly clientId: string;
  readonly roomId: string;
  readonly text: string;
  /** What it holds beside its text. */
  readonly parts?: MessageParts;
  /** The user who was logged in when it was written. */
  readonly senderId?: string | undefined;
}

export interface Sent {
  readonly messageId: string;
  /** 0 while `pending`. */
  readonly seq: number;
  readonly createdAt: string;
  /** Held back until it has a verdict: then `message.created` with its `clientId`, or a `notice`, follows. */
  readonly pending?: boolean;
}

export interface OutboxEntry {
  readonly message: OutboxMessage;
  /** By this device's clock; gives the order. */
  readonly writtenAtMs: number;
  readonly state: 'saving' | 'sending' | 'held' | 'stored' | 'failed';
  /** Of an entry that failed. */
  readonly error?: ErrorData;
}

/** Where entries outlive the page. */
export interface OutboxShelf {
  readonly all: () => Promise<readonly OutboxEntry[]>;
  readonly put: (entry: OutboxEntry) => Promise<void>;
  readonly remove: (clientId: string) => Promise<void>;
}

/** What tabs with the same shelf tell each other. */
export type OutboxNews =
  | { readonly kind: 'changed' }
  | { readonly kind: 'sent'; readonly clientId: string; readonly sent: Sent }
  | { readonly kind: 'failed'; readonly clientId: string; readonly error: ErrorData };

export interface OutboxOptions {
  /** Makes one attempt. @throws ParleyError */
  readonly deliver: (message: OutboxMessage) => Promise<Sent>;
  /** Nothing is sent before a shelf was opened, and refused logins leave messages waiting for the next one. */
  readonly needsShelf?: boolean;
  /** Whether this tab is the one that sends. */
  readonly isSender?: () => boolean;
  readonly tell?: (news: OutboxNews) => void;
  readonly onChange?: () => void;
}

export interface Outbox {
  /** Resolves when the message is stored. @throws ParleyError when it never will be */
  readonly send: (message: OutboxMessage) => Promise<Sent>;
  /** Sends waiting messages now: the connection is back, or this tab has become the one that sends. */
  readonly flush: () => void;
  /** In the order they were written. */
  readonly entries: () => readonly OutboxEntry[];
  /** Messages without a definite answer. */
  readonly waiting: () => number;
  /** Sends a failed message again, unchanged. */
  readonly retry: (clientId: string) => Promise<void>;
  /** Removes a message. @returns it, so that the user can edit and resend it */
  readonly discard: (clientId: string) => Promise<OutboxMessage | undefined>;
  /** The message was seen in its room, so that nothing is to be shown of the entry any more. */
  readonly settle: (clientId: string, sent: Sent) => void;
  /** The server refused a message that it had held back. */
  readonly refuse: (clientId: string, error: ParleyError) => void;
  /** Takes what is left from before, and keeps entries there from now on. Those that another user wrote are dropped from memory. */
  readonly open: (shelf: OutboxShelf, ownerId: string) => Promise<void>;
  /** What another tab tells. */
  readonly hear: (news: OutboxNews) => void;
  /** Ends attempts that are due later. */
  readonly stop: () => void;
}

/** The most messages that wait; more are refused at once. */
const waitingMax = 500;
/** An entry without an event is forgotten after this time: its room was read again, or the user has left it. */
const storedMs = 60_000;

interface Answer {
  readonly resolve: (sent: Sent) => void;
  readonly reject: (error: unknown) => void;
}

export function createOutbox(options: OutboxOptions): Outbox {
  return new OutboxQueue(options);
}

class OutboxQueue implements Outbox {
  readonly #options: OutboxOptions;
  #entries: readonly OutboxEntry[] = [];
  #shelf: OutboxShelf | undefined;
  /** Callers of this tab, by `clientId`. */
  readonly #answers = new Map<string, Answer>();
  /** Rooms for which an attempt is under way. */
  readonly #working = new Set<string>();
  readonly #attempts = new Map<string, number>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #lastMs = 0;
  /** Entries that the device had no room for. */
  readonly #unshelved = new Set<string>();
  /** Entries that were removed since the last read of the shelf began. */
  readonly #dropped = new Set<string>();
  #isReading = false;
  #isStale = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  readonly entries = () => this.#entries;

  readonly waiting = () =>
    this.#entries.filter(({ state }) => state === 'saving' || state === 'sending' || state === 'held').length;

  readonly send = (message: OutboxMessage): Promise<Sent> => {
    if (this.waiting() >= waitingMax)
      return Promise.reject(new ParleyError('unavailable', 'too many messages wait to be sent'));
    this.#lastMs = Math.max(Date.now(), this.#lastMs + 1);
    const entry: OutboxEntry = { message, writtenAtMs: this.#lastMs, state: 'saving' };
    const answer = new Promise<Sent>((resolve, reject) => this.#answers.set(message.clientId, { resolve, reject }));
    this.#set([...this.#entries, entry]);
    leave(this.#save(entry));
    return answer;
  };

  readonly flush = () => {
    for (const roomId of new Set(this.#entries.map(({ message }) => message.roomId))) leave(this.#work(roomId));
  };

  readonly retry = async (clientId: string) => {
    const entry = this.#find(clientId);
    if (entry?.state !== 'failed') return;
    const { error: _error, ...rest } = entry;
    await this.#save(this.#replace({ ...rest, state: 'saving' }));
  };

  readonly discard = async (clientId: string) => {
    const entry = this.#find(clientId);
    if (!entry) return undefined;
    this.#drop(clientId);
    this.#answer(clientId)?.reject(new ParleyError('aborted', 'the message was discarded'));
    await this.#shelf?.remove(clientId).catch(ignore);
    this.#options.tell?.({ kind: 'changed' });
    return entry.message;
  };

  readonly settle = (clientId: string, sent: Sent) => {
    const entry = this.#find(clientId);
    if (!entry) return;
    this.#drop(clientId);
    // The answer to its send may be lost, but it is stored.
    this.#answer(clientId)?.resolve(sent);
    if (entry.state !== 'stored') void this.#shelf?.remove(clientId).catch(ignore);
  };

  readonly refuse = (clientId: string, error: ParleyError) => {
    if (this.#find(clientId)) this.#fail(clientId, error);
  };

  readonly open = async (shelf: OutboxShelf, ownerId: string) => {
    this.#shelf = shelf;
    const isOwn = ({ message }: OutboxEntry) => message.senderId === undefined || message.senderId === ownerId;
    this.#set(
      this.#entries
        .filter(isOwn)
        .map((each) => ({ ...each, message: { ...each.message, senderId: ownerId } }) satisfies OutboxEntry),
    );
    for (const entry of this.#entries) if (entry.state === 'saving') leave(this.#save(entry));
    await this.#reload();
  };

  readonly hear = (news: OutboxNews) => {
    if (news.kind === 'changed') leave(this.#reload());
    else if (news.kind === 'sent') this.#takeSent(news.clientId, news.sent);
    else this.#takeFailure(news.clientId, news.error);
  };

  readonly stop = () => {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  };

  #set(entries: readonly OutboxEntry[]): void {
    this.#entries = entries;
    this.#options.onChange?.();
  }

  #find(clientId: string): OutboxEntry | undefined {
    return this.#entries.find(({ message }) => message.clientId === clientId);
  }

  #replace(entry: OutboxEntry): OutboxEntry {
    this.#set(this.#entries.map((each) => (each.message.clientId === entry.message.clientId ? entry : each)));
    return entry;
  }

  #drop(clientId: string): void {
    this.#dropped.add(clientId);
    this.#set(this.#entries.filter(({ message }) => message.clientId !== clientId));
  }

  #answer(clientId: string): Answer | undefined {
    const answer = this.#answers.get(clientId);
    this.#answers.delete(clientId);
    return answer;
  }

  /** Puts an entry on the shelf before it is sent: whatever ends this tab, its key is known to the next one. */
  async #save(entry: OutboxEntry): Promise<void> {
    const { clientId, roomId } = entry.message;
    if (!this.#shelf && this.#options.needsShelf) return;
    // Without room on the device it is sent all the same.
    await this.#shelf?.put({ ...entry, state: 'sending' }).catch(() => this.#unshelved.add(clientId));
    const present = this.#find(clientId);
    if (present?.state === 'saving') this.#replace({ ...present, state: 'sending' });
    if (this.#shelf) this.#options.tell?.({ kind: 'changed' });
    leave(this.#work(roomId));
  }

  /** Takes what other tabs have added, changed or removed. One read at a time; a change meanwhile leads to another one. */
  async #reload(): Promise<void> {
    this.#isStale = true;
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#isStale) {
      this.#isStale = false;
      this.#dropped.clear();
      const known = new Set(this.#entries.filter(({ state }) => state !== 'saving').map(idOf));
      const kept = await this.#shelf?.all().catch(ignore);
      if (kept) this.#merge(kept, known);
    }
    this.#isReading = false;
    this.flush();
  }

  /** @param known entries that were on the shelf before it was read, as far as this tab knew */
  #merge(kept: readonly OutboxEntry[], known: ReadonlySet<string>): void {
    const present = new Map(this.#entries.map((each) => [idOf(each), each]));
    const onShelf = new Set(kept.map(idOf));
    const isAnswered = (entry: OutboxEntry | undefined) => entry?.state === 'stored' || entry?.state === 'held';
    const fromShelf = kept
      .filter((each) => !this.#dropped.has(idOf(each)))
      .map((each) => (isAnswered(present.get(idOf(each))) ? present.get(idOf(each))! : each));
    const onlyHere = this.#entries.filter((each) => {
      const wasRemoved = known.has(idOf(each)) && each.state !== 'stored' && !this.#unshelved.has(idOf(each));
      return !onShelf.has(idOf(each)) && !wasRemoved;
    });
    this.#set([...fromShelf, ...onlyHere].sort((left, right) => left.writtenAtMs - right.writtenAtMs));
  }

  async #work(roomId: string): Promise<void> {
    if (this.#working.has(roomId) || (this.#options.isSender && !this.#options.isSender())) return;
    this.#working.add(roomId);
    try {
      for (let entry = this.#next(roomId); entry; entry = this.#next(roomId)) {
        if (!(await this.#attempt(entry.message))) return;
      }
    } finally {
      this.#working.delete(roomId);
    }
  }

  /** The first entry of the room without an answer, unless it is being saved. */
  #next(roomId: string): OutboxEntry | undefined {
    const first = this.#entries.find(
      ({ message, state }) => message.roomId === roomId && (state === 'saving' || state === 'sending'),
    );
    return first?.state === 'sending' ? first : undefined;
  }

  /** @returns whether there was a definite answer */
  async #attempt(message: OutboxMessage): Promise<boolean> {
    const { clientId, roomId } = message;
    try {
      const sent = await this.#options.deliver(message);
      this.#attempts.delete(roomId);
      await this.#takeOff(clientId, sent);
      this.#takeSent(clientId, sent);
      this.#options.tell?.({ kind: 'sent', clientId, sent });
      return true;
    } catch (error) {
      if (this.#waits(error)) {
        this.#repeatLater(roomId, error);
        return false;
      }
      this.#fail(clientId, error);
      return true;
    }
  }

  #waits(error: unknown): error is ParleyError {
    if (!(error instanceof ParleyError)) return false;
    const isLoggedOut = error.code === 'unauthenticated' || error.code === 'token_expired';
    return error.retryable || (isLoggedOut && this.#options.needsShelf === true);
  }

  async #takeOff(clientId: string, sent: Sent): Promise<void> {
    const entry = this.#find(clientId);
    if (sent.pending && entry) await this.#shelf?.put({ ...entry, state: 'sending' }).catch(ignore);
    else await this.#shelf?.remove(clientId).catch(ignore);
  }

  #repeatLater(roomId: string, { retryAfterMs }: ParleyError): void {
    const attempt = this.#attempts.get(roomId) ?? 0;
    this.#attempts.set(roomId, attempt + 1);
    // The next connection calls `flush`, but only the answer may have been lost.
    clearTimeout(this.#timers.get(roomId));
    const timer = setTimeout(() => leave(this.#work(roomId)), backoffMs(attempt, retryAfterMs));
    this.#timers.set(roomId, timer);
  }

  #fail(clientId: string, error: unknown): void {
    const data = toErrorData(error);
    const entry = this.#find(clientId);
    if (entry) void this.#shelf?.put({ ...entry, state: 'failed', error: data }).catch(ignore);
    const answer = this.#answer(clientId);
    answer?.reject(error);
    this.#takeFailure(clientId, data);
    this.#options.tell?.({ kind: 'failed', clientId, error: data });
  }

  #takeSent(clientId: string, sent: Sent): void {
    this.#answer(clientId)?.resolve(sent);
    const entry = this.#find(clientId);
    if (!entry) return;
    if (!this.#options.needsShelf) {
      this.#drop(clientId);
      return;
    }
    this.#replace({ ...entry, state: sent.pending ? 'held' : 'stored' });
    if (!sent.pending) this.#dropLater(clientId);
  }

  #dropLater(clientId: string): void {
    const timer = setTimeout(() => {
      if (this.#find(clientId)?.state === 'stored') this.#drop(clientId);
    }, storedMs);
    // In Node a timer would keep the process.
    (timer as { unref?: () => void }).unref?.();
  }

  #takeFailure(clientId: string, error: ErrorData): void {
    this.#answer(clientId)?.reject(fromErrorData(error));
    const entry = this.#find(clientId);
    if (!entry) return;
    if (this.#options.needsShelf) this.#replace({ ...entry, state: 'failed', error });
    else this.#drop(clientId);
  }
}

function idOf({ message }: OutboxEntry): string {
  return message.clientId;
}

/** The device has no room, or forbids its storage: memory has to do. */
function ignore(): undefined {
  return undefined;
}
