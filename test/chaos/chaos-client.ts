/** One user in a chaos run: Parley's own client, recording everything that it receives. */
import { ClientError, createParleyClient, type ParleyClient } from '../../src/client/parley-client.ts';
import type { ReaderRecord, SeenEvent, SendRecord } from './history-checker.ts';
import { untilDone } from './patience.ts';
import type { ChangeRecord, MarkRecord, MessageView } from './state-checker.ts';

export interface ChaosClient {
  readonly client: ParleyClient;
  readonly name: string;
  readonly userId: string;
  /** Sends one message and waits for its answer without a time limit. */
  readonly say: (roomId: string) => Promise<void>;
  /** Edits or deletes one of its own messages. */
  readonly change: (roomId: string, kind: ChangeRecord['kind']) => Promise<void>;
  /** Marks what it has seen as read. */
  readonly mark: (roomId: string) => Promise<void>;
  readonly reader: (roomId: string) => Omit<ReaderRecord, 'entitled'>;
  readonly position: (roomId: string) => number;
  /** Rooms that the client believes it is a member of. */
  readonly memberships: () => ReadonlySet<string>;
  /** The messages as the client would show them. */
  readonly view: () => readonly MessageView[];
  readonly sends: readonly SendRecord[];
  readonly changes: readonly ChangeRecord[];
  readonly marks: () => readonly MarkRecord[];
  /** Milliseconds from each send to its ack. */
  readonly ackMs: readonly number[];
}

interface Run {
  readonly after: number;
  readonly events: SeenEvent[];
  readonly joined?: boolean;
  readonly atMs: number;
}

function memoryStorage() {
  const kept = new Map<string, string>();
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

interface EventData {
  readonly message?: { readonly id: string; readonly text: string };
  readonly messageId?: string;
}

/** Identity of an event: the message that it created, or its type and time. */
export function eventId(type: string, at: string, { message, messageId }: EventData): string {
  return type === 'message.created' ? message!.id : `${type} ${messageId ?? message?.id ?? ''} ${at}`;
}

export async function startChaosClient(url: string, name: string): Promise<ChaosClient> {
  const client = createParleyClient({ baseUrl: url, storage: memoryStorage() });
  const account = { username: name, email: `${name}@example.org`, password: `password of ${name}` };
  const user = await untilDone(() => client.register(account));
  const runs = new Map<string, Run[]>();
  /** Rooms whose run continues with the next event. */
  const running = new Set<string>();
  const memberships = new Set<string>();
  const views = new Map<string, Map<string, MessageView>>();
  const own = new Map<string, string[]>();
  const sends: SendRecord[] = [];
  const changes: ChangeRecord[] = [];
  const marks = new Map<string, { seq: number; atMs: number }[]>();
  const ackMs: number[] = [];
  let order = 0;
  const lastOf = (roomId: string) => runs.get(roomId)?.at(-1);

  function begin(roomId: string, after: number, joined = false): void {
    runs.set(roomId, [...(runs.get(roomId) ?? []), { after, events: [], joined, atMs: performance.now() }]);
    running.add(roomId);
    // The skipped events may have changed anything: read the history again.
    views.delete(roomId);
  }

  /** The client's copy of the room is no longer updated. */
  function leave(roomId: string): void {
    running.delete(roomId);
    views.delete(roomId);
  }

  function see(roomId: string, type: string, { message, messageId }: EventData): void {
    const view = views.get(roomId) ?? new Map<string, MessageView>();
    views.set(roomId, view);
    if (message) view.set(message.id, { messageId: message.id, text: message.text, deleted: false });
    else if (type === 'message.deleted') view.set(messageId!, { messageId: messageId!, text: '', deleted: true });
  }

  client.on({
    onWelcome: ({ rooms }) => {
      const now = new Set(rooms.map(({ id }) => id));
      for (const roomId of [...running]) if (!now.has(roomId)) leave(roomId);
      memberships.clear();
      for (const { id, seq } of rooms) {
        memberships.add(id);
        if (!running.has(id)) begin(id, seq);
      }
    },
    onEvent: ({ type, roomId, seq, at, data: shown }) => {
      const data = shown as EventData;
      if (!running.has(roomId)) begin(roomId, seq - 1, true);
      lastOf(roomId)!.events.push({ seq, type, id: eventId(type, at, data) });
      see(roomId, type, data);
    },
    onReset: (roomId, seq) => begin(roomId, seq),
    onSignal: ({ type, roomId }) => {
      if (type === 'room.joined') memberships.add(roomId!);
      if (type !== 'room.left') return;
      memberships.delete(roomId!);
      leave(roomId!);
    },
  });

  async function say(roomId: string): Promise<void> {
    const mine = order++;
    const clientId = `${name}-${mine}`;
    const text = `${name} says ${mine}`;
    const startedMs = performance.now();
    const send = { userId: user.id, roomId, clientId, text, order: mine, startedMs };
    try {
      const { messageId, seq } = await client.send(roomId, text, { clientId });
      const ackedMs = performance.now();
      sends.push({ ...send, ackedMs, acks: [{ messageId, seq, atMs: ackedMs }] });
      own.set(roomId, [...(own.get(roomId) ?? []).slice(-20), messageId]);
      ackMs.push(ackedMs - startedMs);
    } catch (error) {
      const refused = (error as { code?: string }).code ?? String(error);
      sends.push({ ...send, acks: [], refused, refusedMs: performance.now() });
    }
  }

  async function change(roomId: string, kind: ChangeRecord['kind']): Promise<void> {
    const mine = own.get(roomId) ?? [];
    const messageId = mine[Math.floor(Math.random() * mine.length)];
    if (messageId === undefined) return;
    const text = kind === 'message.updated' ? `${name} means ${order++}` : undefined;
    const record = { kind, roomId, messageId, ...(text === undefined ? {} : { text }) };
    try {
      const seq =
        text === undefined ? await client.remove(roomId, messageId) : await client.edit(roomId, messageId, text);
      changes.push({ ...record, seq, atMs: performance.now() });
    } catch (error) {
      const answered = { ...record, atMs: performance.now() };
      changes.push(isDefinite(error) ? { ...answered, refused: error.code } : answered);
    }
  }

  async function mark(roomId: string): Promise<void> {
    const last = lastOf(roomId)?.events.at(-1);
    if (!last) return;
    try {
      const { lastReadSeq } = await client.markRead(roomId, last.seq);
      marks.set(roomId, [...(marks.get(roomId) ?? []), { seq: lastReadSeq, atMs: performance.now() }]);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
    }
  }

  return {
    client,
    name,
    userId: user.id,
    say,
    change,
    mark,
    sends,
    changes,
    marks: () =>
      [...marks].map(([roomId, acked]) => ({
        userId: user.id,
        roomId,
        acked: acked.map(({ seq }) => seq),
        atMs: acked.map(({ atMs }) => atMs),
      })),
    ackMs,
    memberships: () => memberships,
    view: () => [...views.values()].flatMap((view) => [...view.values()]),
    reader: (roomId) => ({ reader: name, roomId, runs: runs.get(roomId) ?? [] }),
    position: (roomId) => {
      const last = lastOf(roomId);
      return last ? (last.events.at(-1)?.seq ?? last.after) : 0;
    },
  };
}

/** Failures after which nothing happened. After others, the outcome is unknown. */
export function isDefinite(error: unknown): error is ClientError {
  return error instanceof ClientError && !['offline', 'outcome_unknown', 'internal'].includes(error.code);
}
