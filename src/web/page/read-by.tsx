/** Who has read the newest message, in rooms where members see it. */
import type { OwnRoom } from '../../client/parley-client.ts';
import type { ChatState } from '../components/chat-store.ts';

/** More people are counted. */
const namedMax = 4;

export function ReadBy({ state, room, me }: { state: ChatState; room: OwnRoom; me: string | undefined }) {
  const store = state.stores.get(room.id);
  const newest = state.views.get(room.id)?.messages.at(-1);
  if (!room.receipts || !store || !newest) return null;
  const readers = [...store.receipts.values()].filter(
    ({ userId, lastReadSeq }) => lastReadSeq >= newest.seq && userId !== me && userId !== newest.sender.id,
  );
  if (readers.length === 0) return null;
  const names = readers.map(({ userId }) => store.members?.get(userId)?.user.displayName ?? 'Somebody');
  const others = names.length - namedMax;
  return (
    <p class="readers">
      Read by{' '}
      {names.slice(0, namedMax).map((name, index) => (
        <span key={name}>
          {index > 0 && ', '}
          <bdi>{name}</bdi>
        </span>
      ))}
      {others > 0 && ` and ${others} ${others === 1 ? 'other' : 'others'}`}
    </p>
  );
}
