/** A user's files: exported as a list with links, and erased with their bytes. */
import type { Database } from '../../database/connect.ts';
import type { PersonalData } from '../../database/personal-data.ts';
import { toAttachment } from './attachment-parts.ts';
import { readAttachments } from './attachment-repository.ts';
import { deleteUnsent, deleteUploadsOf } from './file-deletion-repository.ts';
import type { FileLinks } from './links/file-links.ts';

const pageSize = 1000;
/** Sorts before every id. */
const beforeAll = '00000000-0000-0000-0000-000000000000';

/** @param timeout of uploads, milliseconds */
export function createAttachmentPersonalData(
  db: Database,
  links: FileLinks,
  { timeout }: { readonly timeout: number },
): PersonalData {
  return {
    name: 'files',
    cut: (tx, { userId }) => deleteUnsent(tx, userId, timeout),
    // Their messages were erased before. What is left is shown by others, who forwarded it.
    sweep: (userId) => deleteUploadsOf(db, userId, timeout),
    exports: { attachments: (userId) => exportFiles(db, links, userId) },
  };
}

async function* exportFiles(db: Database, links: FileLinks, userId: string): AsyncIterable<readonly object[]> {
  for (let after = beforeAll; ; ) {
    const rows = await readAttachments(db, userId, after, pageSize);
    yield rows.map((row) => {
      const { roomId, messageId, createdAt } = row;
      return { ...toAttachment(row, links), roomId, messageId, createdAt };
    });
    if (rows.length < pageSize) return;
    after = rows.at(-1)!.id;
  }
}
