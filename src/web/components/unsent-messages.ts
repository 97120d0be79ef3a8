/**
 * The user's messages that the server has not stored yet, or has refused. This device keeps them until the server has stored them or the
 * user discards them: a reload, a closed tab or a refusal loses none. After a reload they are sent again with the same `clientId`, so that
 * each is stored once even when several tabs send it.
 *
 * States: sending → stored (removed), heldBack (the verdict comes later) or refused; refused → sending again or discarded (removed).
 */
import type { MessageParts, ParleyClient } from '../../client/parley-client.ts';
import { ClientError } from '../../client/parley-client.ts';
import type { DeviceStorage } from './device-storage.ts';

export interface UnsentMessage {
  readonly clientId: string;
  readonly roomId: string;
  readonly text: string;
  /** What it holds beside its text. */
  readonly parts?: MessageParts;
  /** When it was written, in milliseconds by this device's clock: gives the order after a reload. */
  readonly writtenAtMs: number;
  /** Why the server refused it, in words. */
  readonly refusal?: string;
  /** The server has it, and holds it back until it has a verdict. */
  readonly heldBack?: boolean;
}

/** By room, in the order they were written in. */
export type UnsentByRoom = ReadonlyMap<string, readonly UnsentMessage[]>;

export interface UnsentMessages {
  readonly byRoom: () => UnsentByRoom;
  readonly send: (message: Pick<UnsentMessage, 'roomId' | 'clientId' | 'text' | 'parts'>) => void;
  /** Sends a refused message again, unchanged. */
  readonly sendAgain: (clientId: string) => void;
  /** The server refused a message that it had held back. */
  readonly refuse: (clientId: string, refusal: string) => void;
  /** Removes a message that was stored or discarded. @returns its text */
  readonly remove: (clientId: string) => string | undefined;
  /** Ignores answers that still come. The messages stay on the device. */
  readonly stop: () => void;
}

export function createUnsentMessages({
  client,
  storage,
  explain,
  onChange,
}: {
  client: Pick<ParleyClient, 'send'>;
  /** By `clientId`. */
  storage: DeviceStorage;
  explain: (error: unknown) => string;
  onChange: (unsent: UnsentByRoom) => void;
}): UnsentMessages {
  const all = new Map(restore(storage).map((each) => [each.clientId, each]));
  let stopped = false;

  function byRoom(): UnsentByRoom {
    const grouped = new Map<string, UnsentMessage[]>();
    for (const message of all.values()) {
      const others = grouped.get(message.roomId);
      if (others) others.push(message);
      else grouped.set(message.roomId, [message]);
    }
    return grouped;
  }

  function put(message: UnsentMessage): void {
    all.set(message.clientId, message);
    storage.set(message.clientId, JSON.stringify(message));
    onChange(byRoom());
  }

  function change(clientId: string, changes: Partial<UnsentMessage>): void {
    const message = all.get(clientId);
    if (message) put({ ...message, ...changes });
  }

  function remove(clientId: string): string | undefined {
    const message = all.get(clientId);
    if (!message) return undefined;
    all.delete(clientId);
    storage.set(clientId, '');
    onChange(byRoom());
    return message.text;
  }

  /** Never rejects: the outcome is a state of the message. */
  async function deliver({ roomId, clientId, text, parts }: UnsentMessage): Promise<void> {
    try {
      const sent = await client.send(roomId, text, { ...parts, clientId });
      if (stopped) return;
      if (sent.pending) change(clientId, { heldBack: true });
      else remove(clientId);
    } catch (error) {
      // The login ended before it was sent: it waits for the next login of the same user.
      if (stopped || (error instanceof ClientError && error.code === 'unauthenticated')) return;
      change(clientId, { refusal: explain(error) });
    }
  }

  const stopListening = storage.onOtherTab((clientId, { now }) => {
    if (now === '' && all.delete(clientId)) onChange(byRoom());
  });
  for (const message of all.values()) if (message.refusal === undefined) void deliver(message);

  return {
    byRoom,
    send: (message) => {
      const written = { ...message, writtenAtMs: Date.now() };
      put(written);
      void deliver(written);
    },
    sendAgain: (clientId) => {
      change(clientId, { refusal: undefined });
      const message = all.get(clientId);
      if (message) void deliver(message);
    },
    refuse: (clientId, refusal) => change(clientId, { refusal, heldBack: false }),
    remove,
    stop: () => {
      stopped = true;
      stopListening();
    },
  };
}

function restore(storage: DeviceStorage): UnsentMessage[] {
  return storage
    .keys()
    .map((key) => parse(storage.get(key)))
    .filter((each) => each !== undefined)
    .sort((left, right) => left.writtenAtMs - right.writtenAtMs);
}

/** Another version of the page may have written it. */
function parse(json: string): UnsentMessage | undefined {
  try {
    const value = JSON.parse(json) as Partial<UnsentMessage> | null;
    const { clientId, roomId, text, writtenAtMs } = value ?? {};
    if (typeof clientId !== 'string' || typeof roomId !== 'string' || typeof text !== 'string') return undefined;
    return { ...value, clientId, roomId, text, writtenAtMs: Number(writtenAtMs) || 0 };
  } catch {
    return undefined;
  }
}
