/** Files in a folder, spread over 65,536 folders so that none grows large. Several instances share it over a network file system. */
import { mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Failure } from '../../../errors.ts';
import { type FileStore, storeFailure } from './file-store.ts';

/** @param dir on the same file system as the spool, because files are moved */
export function createLocalFileStore(dir: string): FileStore {
  // The ends of ids are random; their beginnings are times.
  const pathOf = (key: string) => {
    const [id = ''] = key.split('.');
    return join(dir, 'files', id.slice(-2), id.slice(-4, -2), key);
  };

  return {
    put: async (key, path) => {
      const target = pathOf(key);
      try {
        await mkdir(dirname(target), { recursive: true, mode: 0o700 });
        // The spool has synced the content; the folder's entry must survive a power cut as well.
        await rename(path, target);
        await syncFolder(dirname(target));
      } catch (error) {
        throw storeFailure(error);
      }
    },
    open: async (key, range) => {
      try {
        // Opened first, so that a missing file is found before the answer begins.
        const file = await open(pathOf(key), 'r');
        return file.createReadStream({ ...range, highWaterMark: 256 * 1024 });
      } catch (error) {
        if (isMissing(error)) throw new Failure('not_found', 'no such file', { cause: error });
        throw storeFailure(error);
      }
    },
    remove: async (key) => {
      try {
        await unlink(pathOf(key));
      } catch (error) {
        if (!isMissing(error)) throw storeFailure(error);
      }
    },
    stop: () => {},
  };
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    // Some network file systems cannot sync folders.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  } finally {
    await folder.close();
  }
}
