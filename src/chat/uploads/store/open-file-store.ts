/** Chooses the file store of the deployment. */
import { resolve } from 'node:path';
import type { FileStore } from './file-store.ts';
import { createLocalFileStore } from './local-file-store.ts';
import { createS3FileStore, type S3Settings } from './s3-file-store.ts';

export interface FileStoreSettings {
  readonly dir: string;
  readonly s3: Omit<S3Settings, 'endpoint'> & { readonly endpoint: string | undefined };
}

export function openFileStore({ dir, s3: { endpoint, ...s3 } }: FileStoreSettings): FileStore {
  return endpoint === undefined ? createLocalFileStore(resolve(dir)) : createS3FileStore({ ...s3, endpoint });
}
