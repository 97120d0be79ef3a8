/** What a message shows beside its text. */
import type { Message } from '../../../client/parley-client.ts';
import type { ChatStore } from '../../components/chat-store.ts';
import { Attachments } from './attachments.tsx';
import { LinkPreviews } from './link-previews.tsx';
import { PollCard } from './poll-card.tsx';
import { ReactionList } from './reaction-list.tsx';
import { ThreadLine } from './thread-line.tsx';

interface MessagePartsProps {
  readonly store: ChatStore;
  readonly message: Message;
  readonly attempt: (work: () => Promise<unknown>) => void;
  /** The message is in the thread that is open: it does not lead there. */
  readonly inThread: boolean;
}

export function MessageParts({ store, message, attempt, inThread }: MessagePartsProps) {
  const { attachments = [], poll, previews = [] } = message;
  return (
    <>
      {attachments.length > 0 && <Attachments store={store} message={message} />}
      {poll && <PollCard store={store} message={message} poll={poll} attempt={attempt} />}
      {previews.length > 0 && <LinkPreviews store={store} message={message} attempt={attempt} />}
      <ReactionList store={store} message={message} attempt={attempt} />
      {!inThread && <ThreadLine store={store} message={message} />}
    </>
  );
}
