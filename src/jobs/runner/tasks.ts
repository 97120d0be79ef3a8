/**
 * All tasks, in three groups. Jobs of mails and others run in processing instances (job-runner.ts). Room jobs, which append
 * events to a room, run in chat instances (room-jobs.ts). A task that is queued but is in no group does not compile.
 */
import type { JobPayloads } from '../../database/queue.ts';
import type { Deliver, Prepare } from '../mail/mail-delivery.ts';

/** Mails, and what finds out that they are owed. */
export type MailTasks = Omit<ProcessingTasks, (typeof fetchTasks)[number]>;

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
}): MailTasks {
  return {
    room_unread: roomUnread,
    unread_mail: ({ mailId }) => deliver(mailId, unreadMail),
    account_mail: ({ mailId }) => deliver(mailId, accountMail),
  };
}

/** The tasks that use the mail server. */
export const mailTasks = ['unread_mail', 'account_mail'] as const satisfies readonly (keyof JobPayloads)[];
/** The other tasks of processing instances. */
/** Tasks that wait for servers of strangers. */
export const fetchTasks = ['link_previews'] as const satisfies readonly (keyof ProcessingTasks)[];
export const otherTasks = ['room_unread'] as const satisfies readonly (keyof ProcessingTasks)[];
/** The tasks that change rooms. See room-jobs.ts for how one is written. */
export const roomTasks = [
  'scheduled_messages',
  'bookmark_reminders',
  'show_previews',
] as const satisfies readonly (keyof JobPayloads)[];

type RoomTask = (typeof roomTasks)[number];
export type RoomTasks = Pick<Tasks, RoomTask>;
/** With a task that is in no group, `createTasks` or job-runner.ts does not compile. */
export type ProcessingTasks = Omit<Tasks, RoomTask>;

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
    scheduled_messages: readNothing,
    bookmark_reminders: readNothing,
    link_previews: readMessage,
    show_previews: readMessage,
  };

/** The task finds by itself what is due. */
function readNothing(): Readonly<Record<string, never>> {
  return {};
}

function readMail(raw: unknown): { mailId: string } | undefined {
  const { mailId } = (raw ?? {}) as { mailId?: unknown };
  return typeof mailId === 'string' && uuid.test(mailId) ? { mailId } : undefined;
}

function readMessage(raw: unknown): { roomId: string; messageId: string } | undefined {
  const { roomId, messageId } = (raw ?? {}) as { roomId?: unknown; messageId?: unknown };
  const isFine = [roomId, messageId].every((id) => typeof id === 'string' && uuid.test(id));
  return isFine ? { roomId: roomId as string, messageId: messageId as string } : undefined;
}
