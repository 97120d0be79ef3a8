/** The two file stores for tests: a folder, and a bucket of a real S3-compatible server. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from 's3rver';

export interface TestStore {
  /** Settings of a Parley that keeps its files there. */
  readonly settings: Readonly<Record<string, string>>;
  readonly folder: string;
  /** The files that are stored, by their keys. */
  readonly keys: () => Promise<string[]>;
  /** Files on their way into the store. */
  readonly spooled: () => Promise<string[]>;
  readonly end: () => Promise<void>;
}

export type StoreKind = 'local' | 's3';

const spooledIn = (folder: string) => readdir(join(folder, 'spool')).catch(() => []);

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

export async function startStore(kind: StoreKind): Promise<TestStore> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-files-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  if (kind === 'local')
    return {
      settings: { PARLEY_UPLOADS_DIR: folder },
      folder,
      keys: () => filesBelow(join(folder, 'files')),
      spooled: () => spooledIn(folder),
      end: remove,
    };
  const directory = join(folder, 'buckets');
  const server = new S3rver({
    ...{ address: '127.0.0.1', port: 0, silent: true, directory },
    configureBuckets: [{ name: 'parley' }],
  });
  const { port } = await server.run();
  return {
    settings: { PARLEY_UPLOADS_DIR: folder, ...s3Settings(`http://127.0.0.1:${port}`) },
    folder,
    keys: async () => {
      const files = await filesBelow(join(directory, 'parley'));
      return files
        .filter((name) => name.endsWith('._S3rver_object'))
        .map((name) => name.replace('._S3rver_object', ''));
    },
    spooled: () => spooledIn(folder),
    end: async () => {
      await server.close();
      await remove();
    },
  };
}

export function s3Settings(endpoint: string): Record<string, string> {
  return {
    PARLEY_UPLOADS_S3_ENDPOINT: endpoint,
    PARLEY_UPLOADS_S3_ACCESS_KEY_ID: 'S3RVER',
    PARLEY_UPLOADS_S3_SECRET_ACCESS_KEY: 'S3RVER',
  };
}
