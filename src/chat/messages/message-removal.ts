/**
 * Removal of a message by a moderator, and its restoration. Readers get the same tombstone as after a deletion by the
 * author, but the text is kept where only moderators see it until they restore it, the author deletes it, or it is too old.
 */
import type { AppendContext, DraftEvent } from '../events/event-log.ts';
import { threadsAfter } from '../events/thread-summary-repository.ts';
import type { ExtrasLoader } from './extras-loader.ts';
import { keepRemoved, lockRow, type MessagePlace, redact, restoreRemoved } from './message-version-repository.ts';

/** @returns the event for the plan of the transaction; none when the message was deleted already */
export async function withdraw({ tx }: AppendContext, place: MessagePlace, by: string): Promise<DraftEvent[]> {
  const row = await lockRow(tx, place);
  if (!row || row.deletedAt !== null) return [];
  await keepRemoved(tx, place, row);
  await redact(tx, place, by);
  const { messageId } = place;
  const inThread = (await threadsAfter(tx, [row.threadId])).get(row.threadId);
  return [{ type: 'message.deleted', actorId: by, messageId, data: { messageId, by, ...inThread } }];
}

/** @returns the event for the plan of the transaction; none when there is nothing to restore */
export async function giveBack(
  { tx }: AppendContext,
  place: MessagePlace,
  by: string,
  snapshot: ExtrasLoader['snapshot'],
): Promise<DraftEvent[]> {
  const restored = await restoreRemoved(tx, place);
  if (!restored) return [];
  const shown = await snapshot(tx, { id: place.messageId, marks: restored.marks });
  // The event brings no new version. It names the one that is restored, and when that was written.
  const { versionSeq, editedAt, threadId } = restored;
  const thread = (await threadsAfter(tx, [threadId])).get(threadId)?.thread;
  const data = {
    ...{ versionSeq, editedAt: editedAt?.toISOString() ?? null },
    ...(shown ? { shown } : {}),
    ...(thread ? { thread } : {}),
  };
  return [{ type: 'message.updated', actorId: by, messageId: place.messageId, data }];
}
