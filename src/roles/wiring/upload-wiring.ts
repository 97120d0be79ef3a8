/** Attachments: their routes, and the sweep of what nobody needs any more. */
import { resolve } from 'node:path';
import { createAttachmentAccess } from '../../chat/uploads/attachment-access.ts';
import { toAttachment } from '../../chat/uploads/attachment-parts.ts';
import { findUploaded } from '../../chat/uploads/attachment-repository.ts';
import { attachmentRoutes } from '../../chat/uploads/attachment-routes.ts';
import { startFileSweep } from '../../chat/uploads/file-sweep.ts';
import { createInspectionPool } from '../../chat/uploads/inspection/inspection-pool.ts';
import { createScanner } from '../../chat/uploads/scanning/clamd-client.ts';
import type { FileStore } from '../../chat/uploads/store/file-store.ts';
import { openFileStore } from '../../chat/uploads/store/open-file-store.ts';
import { createSpool } from '../../chat/uploads/store/spool.ts';
import { watchStore } from '../../chat/uploads/store/watched-file-store.ts';
import { uploadRoutes } from '../../chat/uploads/upload-routes.ts';
import {
  createUploadService,
  type UploadService,
  type UploadServiceOptions,
} from '../../chat/uploads/upload-service.ts';
import { Failure } from '../../errors.ts';
import { requireRate } from '../../http/limits/rate-counters.ts';
import type { App } from '../../http/server/app-type.ts';
import type { ConversationOptions, Feature } from './conversation-options.ts';

const minuteMs = 60_000;

export interface Uploads extends Feature {
  readonly service: UploadService;
}

export function startUploads(options: ConversationOptions): Uploads {
  const { config, logger, connections, metrics, rooms } = options;
  const { uploads: settings } = config;
  const { db } = connections;
  const store = watchStore(openFileStore(settings), options.outages.of('file store'), metrics.uploads.storeFailures);
  // Two timeouts: what is older belongs to no upload, whenever it began.
  const spool = createSpool(resolve(settings.dir), 2 * settings.timeout);
  const inspection = createInspectionPool(settings);
  const sweep = startFileSweep({ db, store, spool, logger, onDeleted: () => metrics.uploads.deleted.inc(), settings });
  const access = createAttachmentAccess({ db, followToRead: rooms.roomAccess.followToRead });
  const service = createService(options, { store, spool, inspection });
  const parts = { store, access, uploads: service };
  return {
    service,
    routes: (v1) => registerRoutes(v1, options, parts),
    stop: async () => {
      await sweep.stop();
      await inspection.stop();
      store.stop();
    },
  };
}

interface StartedParts {
  readonly store: FileStore;
  readonly access: ReturnType<typeof createAttachmentAccess>;
  readonly uploads: UploadService;
}

function createService(
  { config: { uploads: settings }, connections: { db }, judge, metrics }: ConversationOptions,
  parts: Pick<UploadServiceOptions, 'store' | 'spool' | 'inspection'>,
): UploadService {
  const { clamd, timeout } = settings.scan;
  return createUploadService({
    ...{ ...parts, db, settings },
    scanner: clamd === undefined ? undefined : createScanner({ address: clamd, timeout }),
    judgeName: (name, userId) => judge.text(name, 'topic', { userId, role: 'user' }),
    metrics: {
      onUpload: (outcome, bytes, milliseconds) => {
        metrics.uploads.uploads.inc({ outcome });
        metrics.uploads.bytes.inc({ direction: 'in' }, bytes);
        metrics.uploads.seconds.observe(milliseconds / 1000);
      },
    },
  });
}

async function registerRoutes(
  v1: App,
  { config, connections, callers, metrics, parts: { links } }: ConversationOptions,
  { store, access, uploads }: StartedParts,
): Promise<void> {
  const { uploads: settings } = config;
  const { db } = connections;
  const { authenticator } = callers.identities;
  await v1.register(uploadRoutes, {
    ...{ uploads, authenticator, settings },
    find: async (id) => {
      const row = await findUploaded(db, id);
      if (!row) throw new Failure('not_found', 'the upload has ended');
      return toAttachment(row, links);
    },
    countUpload: (userId) =>
      requireRate(
        callers.counters,
        `upload ${userId}`,
        { max: settings.perMinute, windowMs: minuteMs },
        'too many uploads',
      ),
  });
  await v1.register(attachmentRoutes, {
    ...{ access, links, store, authenticator, settings },
    onDownload: (bytes) => metrics.uploads.bytes.inc({ direction: 'out' }, bytes),
  });
}
