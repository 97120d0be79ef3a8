/**
 * Takes an upload: reserved → spooled → looked into → scanned → stored → ready. Until it is ready nobody can fetch it, and
 * where it fails, its row and its bytes go. A crash leaves a row that the sweep finds (`file-sweep.ts`).
 */
import { join } from 'node:path';
import { createGate, type Gate } from '../../concurrency/gate.ts';
import type { Database } from '../../database/connect.ts';
import { newId } from '../../database/new-id.ts';
import { Failure } from '../../errors.ts';
import { findUploaded, finishUpload, reserveUpload, type StoredFile } from './attachment-repository.ts';
import { deleteUpload } from './file-deletion-repository.ts';
import { toFileName } from './file-name.ts';
import type { FileInspection, InspectionPool } from './inspection/inspection-pool.ts';
import type { Scanner } from './scanning/clamd-client.ts';
import { type FileStore, thumbnailKey } from './store/file-store.ts';
import { readChunks, type Spool, tooLarge, writeFile } from './store/spool.ts';

/** A file as it arrives. */
export interface IncomingFile {
  /** As the client gave it. */
  readonly name: string | undefined;
  readonly body: AsyncIterable<Buffer> & { readonly destroy: (error: Error) => unknown };
}

export interface UploadSettings {
  readonly maxBytes: number;
  readonly quotaBytes: number;
  readonly perUserMax: number;
  readonly perProcessMax: number;
  readonly nameMax: number;
  /** Milliseconds. */
  readonly timeout: number;
  readonly idleTimeout: number;
}

export interface UploadMetrics {
  readonly onUpload: (outcome: string, bytes: number, milliseconds: number) => void;
}

export interface UploadServiceOptions {
  readonly db: Database;
  readonly store: FileStore;
  readonly spool: Spool;
  readonly inspection: InspectionPool;
  readonly scanner: Scanner | undefined;
  /** @throws Failure `message_blocked` for a name that moderation refuses */
  readonly judgeName: (name: string, userId: string) => Promise<void>;
  readonly metrics: UploadMetrics;
  readonly settings: UploadSettings;
}

export interface UploadService {
  /** @throws Failure `unavailable` when this instance takes no further upload now */
  readonly enter: () => Promise<() => void>;
  /**
   * @param announcedBytes at most so long, by the head of the request
   * @returns the id of the attachment, which is ready to be sent
   * @throws Failure `too_large`, `rate_limited`, `invalid`, `message_blocked`, `file_blocked`, `request_timeout`, `unavailable`
   */
  readonly receive: (ownerId: string, file: IncomingFile, announcedBytes: number) => Promise<string>;
}

/** Uploads of one user wait for each other in Postgres. They must not take all connections for that. */
const transactionsMax = 3;

export function createUploadService(options: UploadServiceOptions): UploadService {
  const { db, store, spool, inspection, scanner, judgeName, metrics, settings } = options;
  const gate = createProcessGate(settings.perProcessMax);
  const transactions = createGate({ max: transactionsMax });

  async function receive(ownerId: string, file: IncomingFile, announcedBytes: number): Promise<string> {
    const name = toFileName(file.name, settings.nameMax);
    await judgeName(name, ownerId);
    const id = newId();
    const bytes = Math.min(announcedBytes, settings.maxBytes);
    await transactions.run(() => reserveUpload(db, { id, ownerId, name, bytes }, settings));
    try {
      await spool.use(id, (folder) => takeInto(folder, id, ownerId, file.body));
    } catch (error) {
      // If the database is away too, the sweep finds the row later.
      await deleteUpload(db, id).catch(() => {});
      throw error;
    }
    return id;
  }

  async function takeInto(folder: string, id: string, ownerId: string, body: IncomingFile['body']): Promise<void> {
    const path = join(folder, 'upload');
    const bytesMax = settings.maxBytes;
    const size = await writeFile(path, body, { ...settings, bytesMax });
    const inspected = await inspection.inspect({ path, folder });
    await scanner?.requireClean(readChunks(path, 64 * 1024));
    const stored = toStored(inspected, size);
    if (stored.size > settings.maxBytes * 2) throw tooLarge(bytesMax);
    await putAll(id, path, inspected, stored);
    await transactions.run(() => finishUpload(db, { id, ownerId }, stored, settings));
  }

  async function putAll(id: string, path: string, { picture }: FileInspection, stored: StoredFile): Promise<void> {
    if (picture) await store.put(thumbnailKey(id), picture.thumbnail.path, picture.thumbnail);
    await store.put(id, picture?.path ?? path, stored);
  }

  return {
    enter: gate.enter,
    receive: async (ownerId, file, announcedBytes) => {
      const beganMs = performance.now();
      try {
        const id = await receive(ownerId, file, announcedBytes);
        const { size = 0 } = (await findUploaded(db, id)) ?? {};
        metrics.onUpload('stored', size, performance.now() - beganMs);
        return id;
      } catch (error) {
        metrics.onUpload(error instanceof Failure ? error.code : 'failed', 0, performance.now() - beganMs);
        throw error;
      }
    },
  };
}

/** Uploads beyond the bound are refused and not queued: they would hold their connections, and their clients can wait better. */
function createProcessGate(max: number): Gate {
  return createGate({
    max,
    queueMax: 0,
    refusal: () => new Failure('unavailable', 'too many uploads at once', { retryAfterMs: 2000 }),
  });
}

function toStored({ type, picture }: FileInspection, size: number): StoredFile {
  if (!picture) return { type, size, width: null, height: null, blurhash: null, thumbnail: null };
  const { width, height, blurhash, thumbnail } = picture;
  return { type, size: picture.size, width, height, blurhash, thumbnail };
}
