/** Where the bytes of files are: a folder (`local-file-store.ts`) or an S3-compatible store (`s3-file-store.ts`). */
import type { Readable } from 'node:stream';
import { Failure } from '../../../errors.ts';

/** Bytes from `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Keys are file ids, or ids with `.thumbnail`. Bytes under a key never change. */
export interface FileStore {
  /**
   * Stores a file. It is there completely, and survives a crash, when the promise resolves; a failure may leave bytes, so the
   * caller removes the key then.
   * @param path of a closed file in the spool, which the store may move away
   */
  readonly put: (key: string, path: string, file: { readonly size: number; readonly type: string }) => Promise<void>;
  /** Resolves when the first bytes are on their way. @throws Failure `not_found` where there is nothing */
  readonly open: (key: string, range?: ByteRange) => Promise<Readable>;
  /** Resolves when nothing is under the key any more, also if nothing was. */
  readonly remove: (key: string) => Promise<void>;
  readonly stop: () => void;
}

export function thumbnailKey(fileId: string): string {
  return `${fileId}.thumbnail`;
}

/** A failure of the store, as clients see it: they may try again. Its reason goes to the log. */
export function storeFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure('unavailable', 'the file store is unavailable', { cause: error, retryAfterMs: 5000 });
}
