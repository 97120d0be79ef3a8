/**
 * Files on their way into the store: the upload as it came, and what was made of it. They are on disk, so an upload takes
 * little memory, and are gone when the request has ended. What a killed process left is removed at the next start.
 */
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../../errors.ts';
import { storeFailure } from './file-store.ts';

export interface Spool {
  /** Runs `work` with a folder of its own, and removes it afterwards. */
  readonly use: <Value>(id: string, work: (folder: string) => Promise<Value>) => Promise<Value>;
  /** Removes what is older than any upload can be. */
  readonly sweep: () => Promise<void>;
}

/** @param maxAgeMs longer than any upload */
export function createSpool(dir: string, maxAgeMs: number): Spool {
  const root = join(dir, 'spool');
  return {
    use: async (id, work) => {
      const folder = join(root, id);
      await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
        throw storeFailure(error);
      });
      try {
        return await work(folder);
      } finally {
        // Leftovers are swept later.
        await rm(folder, { recursive: true, force: true }).catch(() => {});
      }
    },
    sweep: async () => {
      for (const name of await readdir(root).catch(() => [])) {
        const path = join(root, name);
        const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
        if (mtimeMs < Date.now() - maxAgeMs) await rm(path, { recursive: true, force: true });
      }
    },
  };
}

export interface SpoolLimits {
  readonly bytesMax: number;
  /** Milliseconds without a byte. */
  readonly idleTimeout: number;
  /** Milliseconds until the last byte. */
  readonly timeout: number;
}

interface Source extends AsyncIterable<Buffer> {
  readonly destroy: (error: Error) => unknown;
}

/**
 * Writes a stream to a new file and returns when it is on the disk.
 * @returns its length
 * @throws Failure `too_large`, `request_timeout`, or `unavailable` when the disk does not take it
 */
export async function writeFile(path: string, source: Source, limits: SpoolLimits): Promise<number> {
  const { bytesMax, idleTimeout, timeout } = limits;
  const end = () => source.destroy(new Failure('request_timeout', 'the file did not arrive in time'));
  const idle = setTimeout(end, idleTimeout);
  const late = setTimeout(end, timeout);
  try {
    const file = await onDisk(open(path, 'wx', 0o600));
    try {
      let bytes = 0;
      for await (const chunk of received(source)) {
        idle.refresh();
        bytes += chunk.length;
        if (bytes > bytesMax) throw tooLarge(bytesMax);
        await onDisk(file.writeFile(chunk));
      }
      await onDisk(file.sync());
      return bytes;
    } finally {
      await file.close();
    }
  } finally {
    clearTimeout(idle);
    clearTimeout(late);
  }
}

/** A body that ends too early, or is no multipart body after all. */
async function* received(source: Source): AsyncGenerator<Buffer> {
  try {
    yield* source;
  } catch (error) {
    throw error instanceof Failure ? error : new Failure('invalid', 'the body is not complete', { cause: error });
  }
}

/** A full disk, a file system that turned read-only: the client may try again. */
function onDisk<Value>(work: Promise<Value>): Promise<Value> {
  return work.catch((error: unknown) => {
    throw storeFailure(error);
  });
}

export function tooLarge(bytesMax: number): Failure {
  return new Failure('too_large', `files may have at most ${bytesMax} bytes`, { details: { maxBytes: bytesMax } });
}

/** The chunks of a file that was written before. */
export function readChunks(path: string, highWaterMark: number): AsyncIterable<Buffer> {
  return createReadStream(path, { highWaterMark });
}
