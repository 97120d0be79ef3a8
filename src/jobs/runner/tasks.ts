/** All tasks. A task that is queued but not listed here does not compile. */
import type { JobPayloads } from '../../database/queue.ts';
import type { Deliver, Prepare } from '../mail/mail-delivery.ts';

/** A task must tolerate running twice, even at the same time, and for rows that no longer exist. */
export type Tasks = { readonly [Task in keyof JobPayloads]: (payload: JobPayloads[Task]) => Promise<void> };

export function createTasks({
  roomUnread,
  deliver,
  unreadMail,
  accountMail,
}: {
  roomUnread: Tasks['room_unread'];
  deliver: Deliver;
  unreadMail: Prepare;
  accountMail: Prepare;
}): Tasks {
  return {
    room_unread: roomUnread,
    unread_mail: ({ mailId }) => deliver(mailId, unreadMail),
    account_mail: ({ mailId }) => deliver(mailId, accountMail),
  };
}

/** The tasks that use the mail server, and all others. */
export const mailTasks = ['unread_mail', 'account_mail'] as const satisfies readonly (keyof JobPayloads)[];
export const otherTasks = ['room_unread'] as const satisfies readonly Exclude<
  keyof JobPayloads,
  (typeof mailTasks)[number]
>[];

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Parses payloads; undefined for an invalid one. Other builds write to the same queue. */
export const payloadReaders: { readonly [Task in keyof JobPayloads]: (raw: unknown) => JobPayloads[Task] | undefined } =
  {
    room_unread: (raw) => {
      const { roomId, again } = (raw ?? {}) as Partial<JobPayloads['room_unread']>;
      return typeof roomId === 'string' && uuid.test(roomId) ? { roomId, again: again === true } : undefined;
    },
    unread_mail: readMail,
    account_mail: readMail,
  };

function readMail(raw: unknown): { mailId: string } | undefined {
  const { mailId } = (raw ?? {}) as { mailId?: unknown };
  return typeof mailId === 'string' && uuid.test(mailId) ? { mailId } : undefined;
}
