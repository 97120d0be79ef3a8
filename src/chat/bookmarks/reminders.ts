/**
 * Reminds users of bookmarks. Each instance claims reminders that are due; marking the row is the claim, so each reminder is
 * sent once, by one instance, to the user's connections on all of them. A device that is offline, or a frame that is lost
 * with its instance, costs nothing: the list of bookmarks says `reminded` from then on.
 */
import type { Logger } from 'pino';
import { startPoller } from '../../concurrency/poller.ts';
import type { DueReminder } from './bookmark-repository.ts';

export interface Reminders {
  /** Sends all reminders that are due. The job of a reminder calls it at its time. */
  readonly remindDue: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Reminders claimed at once. */
const claimMax = 100;

export function startReminders({
  claim,
  signalUser,
  logger,
  pollMs,
}: {
  claim: (limit: number) => Promise<DueReminder[]>;
  /** Sends a frame to all connections of a user, on all instances. */
  signalUser: (userId: string, json: string) => void;
  logger: Logger;
  /** Milliseconds between looks for reminders whose job was lost. */
  pollMs: number;
}): Reminders {
  async function remindDue(): Promise<void> {
    for (;;) {
      const due = await claim(claimMax);
      for (const reminder of due) signalUser(reminder.userId, frameOf(reminder));
      if (due.length < claimMax) return;
    }
  }

  const poller = startPoller({
    work: remindDue,
    everyMs: pollMs,
    onError: (error) => logger.debug({ error }, 'reminders could not be read'),
  });
  return {
    remindDue,
    stop: async () => {
      poller.stop();
      await poller.settled();
    },
  };
}

function frameOf({ roomId, messageId, note, remindAt }: DueReminder): string {
  const data = { messageId, note, remindAt: remindAt.toISOString() };
  return JSON.stringify({ type: 'bookmark.reminder', roomId, data });
}
