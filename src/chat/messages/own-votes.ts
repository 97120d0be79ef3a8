/**
 * Adds to messages with a poll what the caller has voted. A step of its own after a message or a page was read: pages are shared by
 * all readers of a room, and what one of them has voted must not get into them.
 */
import type { Message } from '../state/message-shape.ts';
import type { Actor } from '../state/room-state.ts';

/** By the message's id; messages without a vote of the user are absent. */
export type FindOwnVotes = (
  userId: string,
  messageIds: readonly string[],
) => Promise<ReadonlyMap<string, readonly number[]>>;

export interface OwnVotes {
  readonly inMessages: <Shown extends Pick<Message, 'id' | 'poll'>>(
    actor: Pick<Actor, 'userId' | 'role'>,
    messages: readonly Shown[],
  ) => Promise<Shown[]>;
  /** The same for the JSON of a `MessagePage`. No promise for a page without polls. */
  readonly inPage: (actor: Actor, page: Buffer) => Buffer | Promise<Buffer>;
}

/** Within a text its quotes would be escaped, so only a poll begins like this. */
const beginOfPoll = Buffer.from(',"poll":{"question":');

export function createOwnVotes(find: FindOwnVotes): OwnVotes {
  async function inMessages<Shown extends Pick<Message, 'id' | 'poll'>>(
    { userId, role }: Pick<Actor, 'userId' | 'role'>,
    messages: readonly Shown[],
  ): Promise<Shown[]> {
    const withPolls = messages.filter(({ poll }) => poll);
    // A server has no votes of its own.
    if (withPolls.length === 0 || role === 'server') return [...messages];
    const own = await find(
      userId,
      withPolls.map(({ id }) => id),
    );
    return messages.map((message) =>
      message.poll ? { ...message, poll: { ...message.poll, own: [...(own.get(message.id) ?? [])] } } : message,
    );
  }

  async function inPolls(actor: Actor, bytes: Buffer): Promise<Buffer> {
    const page = JSON.parse(bytes.toString()) as { messages: Message[]; hasMore: boolean };
    return Buffer.from(JSON.stringify({ ...page, messages: await inMessages(actor, page.messages) }));
  }

  return {
    inMessages,
    inPage: (actor, page) => (page.includes(beginOfPoll) ? inPolls(actor, page) : page),
  };
}
