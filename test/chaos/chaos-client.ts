/** One person in a chaos run: Parley's own client, writing down all that it is told and all that it is answered. */
import { createParleyClient, type ParleyClient } from '../../src/client/parley-client.ts';
import type { ReaderRecord, SeenEvent, SendRecord } from './history-checker.ts';

export interface ChaosClient {
  readonly client: ParleyClient;
  readonly userId: string;
  /** Sends until told to stop, one after the other in each room. */
  readonly talk: (rooms: readonly string[], until: () => boolean, pauseMs: () => number) => Promise<void>;
  readonly reader: (roomId: string) => ReaderRecord;
  readonly sends: readonly SendRecord[];
  /** Milliseconds from each send to its ack. */
  readonly ackMs: readonly number[];
  readonly position: (roomId: string) => number;
}

interface Run {
  readonly after: number;
  readonly events: SeenEvent[];
}

function memoryStorage() {
  const kept = new Map<string, string>();
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

/** What tells an event from another: the message it made, or its kind and time. */
export function eventId(type: string, at: string, data: Record<string, unknown>): string {
  const { message, messageId } = data as { message?: { id: string }; messageId?: string };
  return type === 'message.created' ? message!.id : `${type} ${messageId ?? message?.id ?? ''} ${at}`;
}

export async function startChaosClient(url: string, name: string): Promise<ChaosClient> {
  const client = createParleyClient({ baseUrl: url, storage: memoryStorage() });
  const user = await client.register({ username: name, email: `${name}@example.org`, password: `password of ${name}` });
  const runs = new Map<string, Run[]>();
  const sends: SendRecord[] = [];
  const ackMs: number[] = [];
  const lastOf = (roomId: string) => runs.get(roomId)?.at(-1);
  const begin = (roomId: string, after: number) =>
    runs.set(roomId, [...(runs.get(roomId) ?? []), { after, events: [] }]);

  client.on({
    onWelcome: ({ rooms }) => {
      for (const { id, seq } of rooms) if (!runs.has(id)) begin(id, seq);
    },
    onEvent: ({ type, roomId, seq, at, data }) => {
      if (!runs.has(roomId)) begin(roomId, seq - 1);
      lastOf(roomId)!.events.push({ seq, type, id: eventId(type, at, data) });
    },
    onReset: (roomId, seq) => void begin(roomId, seq),
  });

  async function say(roomId: string, order: number): Promise<void> {
    const clientId = `${name}-${order}`;
    const text = `${name} says ${order}`;
    const sentMs = performance.now();
    try {
      const { messageId, seq } = await client.send(roomId, text, { clientId });
      sends.push({ userId: user.id, roomId, clientId, text, order, acks: [{ messageId, seq }] });
      ackMs.push(performance.now() - sentMs);
    } catch (error) {
      sends.push({
        userId: user.id,
        roomId,
        clientId,
        text,
        order,
        acks: [],
        refused: (error as { code?: string }).code ?? String(error),
      });
    }
  }

  return {
    client,
    userId: user.id,
    sends,
    ackMs,
    talk: async (rooms, until, pauseMs) => {
      let order = 0;
      await Promise.all(
        rooms.map(async (roomId) => {
          while (!until()) {
            await say(roomId, order++);
            await new Promise((wake) => setTimeout(wake, pauseMs()));
          }
        }),
      );
    },
    reader: (roomId) => ({ reader: name, roomId, runs: runs.get(roomId) ?? [] }),
    position: (roomId) => {
      const last = lastOf(roomId);
      return last ? (last.events.at(-1)?.seq ?? last.after) : 0;
    },
  };
}
