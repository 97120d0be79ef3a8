/** Keeps messages that are not sent yet on the device, in IndexedDB; in memory where there is none, as in Node. */
import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import type { OutboxEntry, OutboxShelf } from './outbox.ts';

interface KeptEntry {
  readonly clientId: string;
  /** Server and user: nobody else reads it. */
  readonly owner: string;
  readonly entry: OutboxEntry;
}

interface OutboxSchema extends DBSchema {
  outbox: { key: string; value: KeptEntry; indexes: { owner: string } };
}

const databaseName = 'parley-client';

/** @param owner names the server and the user */
export async function openShelf(owner: string): Promise<OutboxShelf> {
  if (typeof indexedDB === 'undefined') return createMemoryShelf();
  try {
    return createDatabaseShelf(await openDatabase(), owner);
  } catch {
    // Private windows of some browsers refuse it.
    return createMemoryShelf();
  }
}

function openDatabase(): Promise<IDBPDatabase<OutboxSchema>> {
  return openDB<OutboxSchema>(databaseName, 1, {
    upgrade: (database) => {
      const store = database.createObjectStore('outbox', { keyPath: 'clientId' });
      store.createIndex('owner', 'owner');
    },
    // A newer version of the page waits for this one to let go.
    blocking: (_current, _next, event) => (event.target as IDBDatabase).close(),
  });
}

function createDatabaseShelf(database: IDBPDatabase<OutboxSchema>, owner: string): OutboxShelf {
  return {
    all: async () => {
      const kept = await database.getAllFromIndex('outbox', 'owner', owner);
      return kept.map(({ entry }) => entry).sort((left, right) => left.writtenAtMs - right.writtenAtMs);
    },
    put: async (entry) => {
      const { clientId } = entry.message;
      // Strict: the answer comes once the entry is on the disk, so that a crash right after it loses nothing.
      const transaction = database.transaction('outbox', 'readwrite', { durability: 'strict' });
      await Promise.all([transaction.store.put({ clientId, owner, entry }), transaction.done]);
    },
    remove: (clientId) => database.delete('outbox', clientId),
  };
}

export function createMemoryShelf(): OutboxShelf {
  const kept = new Map<string, OutboxEntry>();
  return {
    all: async () => [...kept.values()],
    put: async (entry) => void kept.set(entry.message.clientId, entry),
    remove: async (clientId) => void kept.delete(clientId),
  };
}
