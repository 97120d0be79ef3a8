/** Deletes uploads that no message named in time, and the bytes that are owed a deletion. Every instance does it. */
import type { Logger } from 'pino';
import { startPoller } from '../../concurrency/poller.ts';
import type { Database } from '../../database/connect.ts';
import { logLevelOf } from '../../database/database-errors.ts';
import {
  claimDeletions,
  deleteOrphans,
  isStillShown,
  type OwedDeletion,
  type SweepLimits,
  settleDeletion,
} from './file-deletion-repository.ts';
import { type FileStore, thumbnailKey } from './store/file-store.ts';
import type { Spool } from './store/spool.ts';

export interface FileSweepOptions {
  readonly db: Database;
  readonly store: FileStore;
  readonly spool: Spool;
  readonly logger: Logger;
  /** Bytes that the store has confirmed to be gone. */
  readonly onDeleted: () => void;
  readonly settings: SweepLimits & { readonly sweepInterval: number };
}

export interface FileSweep {
  readonly stop: () => Promise<void>;
}

/** Deletions of one round, and how long another instance leaves them alone. A store that fails is asked again after this. */
const batchMax = 50;
const claimMs = 60_000;

export function startFileSweep(options: FileSweepOptions): FileSweep {
  const { db, store, spool, logger, onDeleted, settings } = options;
  let stopped = false;

  async function sweep(): Promise<void> {
    await spool.sweep();
    while (!stopped && (await deleteOrphans(db, settings)));
    while (!stopped) {
      const owed = await claimDeletions(db, batchMax, claimMs);
      for (const deletion of owed) if (!stopped) await settle(deletion);
      if (owed.length < batchMax) return;
    }
  }

  async function settle(deletion: OwedDeletion): Promise<void> {
    if (!(await isStillShown(db, deletion.key))) {
      await store.remove(deletion.key);
      await store.remove(thumbnailKey(deletion.key));
      onDeleted();
    }
    await settleDeletion(db, deletion);
  }

  const poller = startPoller({
    work: sweep,
    everyMs: settings.sweepInterval,
    onError: (error) => logger[logLevelOf(error)]({ error }, 'files could not be deleted and are tried again'),
  });
  poller.ifIdle();

  return {
    stop: async () => {
      stopped = true;
      poller.stop();
      await poller.settled();
    },
  };
}
