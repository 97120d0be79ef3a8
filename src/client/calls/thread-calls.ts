/** Threads over REST. A thread is known by the message that starts it. */

import type { FollowedThread, ThreadState } from '../types.ts';
import type { Call } from './rest.ts';
import { type HistoryPage, type HistoryRange, historyQuery, readAll } from './room-calls.ts';

export interface ThreadCalls {
  /** Messages of a thread, without the one that starts it, oldest first. */
  readonly thread: (roomId: string, threadId: string, range?: HistoryRange) => Promise<HistoryPage>;
  /** The threads that the user follows, newest activity first. */
  readonly threads: (only?: { readonly unread?: boolean }) => Promise<readonly FollowedThread[]>;
  readonly markThreadRead: (roomId: string, threadId: string, seq: number) => Promise<ThreadState>;
  readonly followThread: (roomId: string, threadId: string, follow: boolean) => Promise<ThreadState>;
}

export function createThreadCalls(call: Call): ThreadCalls {
  const pathOf = (roomId: string, threadId: string) => `/v1/rooms/${roomId}/messages/${threadId}/thread`;
  return {
    thread: (roomId, threadId, range = {}) =>
      call('GET', `/v1/rooms/${roomId}/messages${historyQuery(range, { threadId })}`),
    threads: ({ unread = false } = {}) => readAll(call, `/v1/threads?limit=100${unread ? '&unread=true' : ''}`),
    markThreadRead: (roomId, threadId, seq) => call('PUT', `${pathOf(roomId, threadId)}/read`, { seq }),
    followThread: (roomId, threadId, follow) => call(follow ? 'PUT' : 'DELETE', `${pathOf(roomId, threadId)}/follow`),
  };
}
