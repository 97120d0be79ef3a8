/** Writes a ZIP archive as a stream. An archive beyond 4 GB or 65,535 entries is written as Zip64. */
import { PassThrough, pipeline, type Readable } from 'node:stream';
import ZipStream from 'zip-stream';

export interface ArchiveEntry {
  readonly name: string;
  readonly content: Buffer;
}

/** The earliest date that the format has: entries have no time of their own. */
const noDate = new Date('1980-01-01T00:00:00Z');

/**
 * The bytes of an archive. The next entry is requested when the one before it was written, so one entry is in memory at a time.
 * If the reader leaves, the source of the entries is closed; if the source fails, the stream fails with its error.
 */
export function zipOf(entries: AsyncIterable<ArchiveEntry>): Readable {
  const archive = new ZipStream();
  const output = new PassThrough();
  // An error destroys both streams. The reader of `output` sees it.
  pipeline(archive, output, () => {});
  fill(archive, entries).catch((error: Error) => archive.destroy(error));
  return output;
}

async function fill(archive: ZipStream, entries: AsyncIterable<ArchiveEntry>): Promise<void> {
  for await (const entry of entries) await add(archive, entry);
  archive.finish();
}

/** Resolves when the entry was written. @throws Error if the archive is closed before */
function add(archive: ZipStream, { name, content }: ArchiveEntry): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error('the archive was closed'));
    if (archive.destroyed) return onClose();
    archive.once('close', onClose);
    archive.entry(content, { name, date: noDate }, (error) => {
      archive.off('close', onClose);
      if (error) reject(error);
      else resolve();
    });
  });
}
