/** What the user keeps for later, over REST: drafts, bookmarks, scheduled messages. */

import type { Bookmark, Draft, MessageParts, ScheduledMessage } from '../types.ts';
import type { Call } from './rest.ts';
import { readAll } from './room-calls.ts';

export interface LaterCalls {
  readonly drafts: () => Promise<readonly Draft[]>;
  /** The user's other devices get the draft. An empty text without files removes it. */
  readonly saveDraft: (roomId: string, draft: Pick<Draft, 'text'> & Partial<Draft>) => Promise<void>;
  readonly bookmarks: () => Promise<readonly Bookmark[]>;
  readonly bookmark: (
    roomId: string,
    messageId: string,
    bookmark?: { readonly note?: string; readonly remindAt?: string | null },
  ) => Promise<void>;
  readonly removeBookmark: (roomId: string, messageId: string) => Promise<void>;
  /** @param message.sendAt a time, RFC 3339 */
  readonly schedule: (
    roomId: string,
    message: MessageParts & { readonly clientId: string; readonly text: string; readonly sendAt: string },
  ) => Promise<ScheduledMessage>;
  readonly scheduled: () => Promise<readonly ScheduledMessage[]>;
  readonly reschedule: (id: string, changes: { readonly text?: string; readonly sendAt?: string }) => Promise<void>;
  readonly cancelScheduled: (id: string) => Promise<void>;
}

export function createLaterCalls(call: Call): LaterCalls {
  const bookmarkPath = (roomId: string, messageId: string) => `/v1/rooms/${roomId}/messages/${messageId}/bookmark`;
  return {
    drafts: () => readAll(call, '/v1/drafts'),
    saveDraft: (roomId, { text, threadId, attachmentIds = [] }) => {
      const thread = threadId ? { threadId } : {};
      if (text === '' && attachmentIds.length === 0)
        return call('DELETE', `/v1/rooms/${roomId}/draft${threadId ? `?threadId=${threadId}` : ''}`);
      const files = attachmentIds.length > 0 ? { attachmentIds } : {};
      return call('PUT', `/v1/rooms/${roomId}/draft`, { text, ...thread, ...files });
    },
    bookmarks: () => readAll(call, '/v1/bookmarks'),
    bookmark: (roomId, messageId, bookmark = {}) => call('PUT', bookmarkPath(roomId, messageId), bookmark),
    removeBookmark: (roomId, messageId) => call('DELETE', bookmarkPath(roomId, messageId)),
    schedule: (roomId, message) => call('POST', `/v1/rooms/${roomId}/scheduled`, message),
    scheduled: () => readAll(call, '/v1/scheduled'),
    reschedule: (id, changes) => call('PATCH', `/v1/scheduled/${id}`, changes),
    cancelScheduled: (id) => call('DELETE', `/v1/scheduled/${id}`),
  };
}
