/** What people do with messages, over REST: reactions, pins, polls, previews, forwarding. */

import type { CustomEmoji, Message, Profile } from '../types.ts';
import type { Call } from './rest.ts';
import { readAll } from './room-calls.ts';

export interface MessageCalls {
  readonly message: (roomId: string, messageId: string) => Promise<Message>;
  /** @param emoji one emoji, or `:name:` of a custom emoji. Repeating it changes nothing */
  readonly react: (roomId: string, messageId: string, emoji: string) => Promise<void>;
  readonly unreact: (roomId: string, messageId: string, emoji: string) => Promise<void>;
  /** Everybody with this reaction, the first one first. */
  readonly reactedBy: (roomId: string, messageId: string, emoji: string) => Promise<readonly Profile[]>;
  readonly customEmojis: () => Promise<readonly CustomEmoji[]>;
  readonly pin: (roomId: string, messageId: string) => Promise<void>;
  readonly unpin: (roomId: string, messageId: string) => Promise<void>;
  /** The newest pin first. */
  readonly pins: (roomId: string) => Promise<readonly Message[]>;
  /** @param options indexes; none takes the vote back */
  readonly vote: (roomId: string, messageId: string, options: readonly number[]) => Promise<void>;
  readonly closePoll: (roomId: string, messageId: string) => Promise<void>;
  /** Removes the previews of the links of an own message. */
  readonly removePreviews: (roomId: string, messageId: string) => Promise<void>;
}

export function createMessageCalls(call: Call): MessageCalls {
  const pathOf = (roomId: string, messageId: string) => `/v1/rooms/${roomId}/messages/${messageId}`;
  const reactionPath = (roomId: string, messageId: string, emoji: string) =>
    `${pathOf(roomId, messageId)}/reactions/${encodeURIComponent(emoji)}`;

  return {
    message: (roomId, messageId) => call('GET', pathOf(roomId, messageId)),
    react: (roomId, messageId, emoji) => call('PUT', reactionPath(roomId, messageId, emoji)),
    unreact: (roomId, messageId, emoji) => call('DELETE', reactionPath(roomId, messageId, emoji)),
    reactedBy: async (roomId, messageId, emoji) => {
      const people = await readAll<{ readonly user: Profile }>(call, reactionPath(roomId, messageId, emoji));
      return people.map(({ user }) => user);
    },
    customEmojis: () => readAll(call, '/v1/emojis'),
    pin: (roomId, messageId) => call('PUT', `${pathOf(roomId, messageId)}/pin`),
    unpin: (roomId, messageId) => call('DELETE', `${pathOf(roomId, messageId)}/pin`),
    pins: async (roomId) => {
      const items = await readAll<Message | { readonly message: Message }>(call, `/v1/rooms/${roomId}/pins`);
      return items.map((each) => ('message' in each ? each.message : each));
    },
    vote: (roomId, messageId, options) => call('PUT', `${pathOf(roomId, messageId)}/vote`, { options }),
    closePoll: (roomId, messageId) => call('POST', `${pathOf(roomId, messageId)}/poll/close`),
    removePreviews: (roomId, messageId) => call('DELETE', `${pathOf(roomId, messageId)}/previews`),
  };
}
