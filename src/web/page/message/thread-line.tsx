/** Below a message that starts a thread: who wrote in it and how much. Opens the thread. */
import type { Message, Profile } from '../../../client/parley-client.ts';
import { Avatar } from '../../components/avatar.tsx';
import type { ChatStore } from '../../components/chat-store.ts';
import { placeOf } from '../../components/page-places.ts';

const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

export function ThreadLine({ store, message }: { store: ChatStore; message: Message }) {
  const { thread, roomId, id } = message;
  if (!thread || thread.replyCount === 0) return null;
  const members = store.state.stores.get(roomId)?.members;
  const people = thread.userIds.map((userId) => members?.get(userId)?.user).filter((each) => each !== undefined);
  return (
    <a class="thread-line" href={placeOf.thread(roomId, id)}>
      <span class="faces" aria-hidden="true">
        {people.slice(0, 3).map((person: Profile) => (
          <Avatar key={person.id} person={person} />
        ))}
      </span>
      <strong>
        {thread.replyCount} {thread.replyCount === 1 ? 'reply' : 'replies'}
      </strong>
      {thread.lastReplyAt && <span class="hint">last on {calendar.format(new Date(thread.lastReplyAt))}</span>}
    </a>
  );
}
