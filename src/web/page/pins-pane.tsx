/** The pinned messages of a room, beside its history. */
import { useEffect } from 'preact/hooks';
import { knownMessage, type OwnRoom } from '../../client/parley-client.ts';
import { useAttempt } from '../components/attempt.ts';
import type { ChatState, ChatStore } from '../components/chat-store.ts';
import { placeOf } from '../components/page-places.ts';
import { Refusal } from '../components/refusal.tsx';
import { MessageItem } from './message/message-item.tsx';

interface PinsPaneProps {
  readonly store: ChatStore;
  readonly state: ChatState;
  readonly room: OwnRoom;
}

export function PinsPane({ store, state, room }: PinsPaneProps) {
  const { problem, attempt } = useAttempt();
  const known = state.stores.get(room.id);
  const pinned = known?.pinnedIds?.map((id) => knownMessage(known, id)).filter((each) => each !== undefined);
  useEffect(() => {
    void attempt(() =>
      store.stores.read(
        () => store.client.pins(room.id),
        (messages, all) => {
          const during = all.filter((event) => event.roomId === room.id);
          store.stores.change(room.id, { type: 'pins', messages, during });
        },
      ),
    );
  }, [store, room.id]);
  return (
    <aside class="side-pane" aria-label="Pinned messages">
      <header class="room-head">
        <h2>Pinned messages</h2>
        <a class="button" href={placeOf.room(room.id)} aria-label="Close pinned messages">
          ✕
        </a>
      </header>
      <div class="side-list">
        <Refusal words={problem} />
        {!pinned && !problem && <p class="hint">Loading …</p>}
        {pinned?.length === 0 && <p class="hint">Nothing is pinned. A message's menu pins it for everybody.</p>}
        {pinned?.map((message) => (
          <div class="pinned-message" key={message.id}>
            <MessageItem store={store} message={message} head editing={false} onEditEnd={() => {}} />
            <a class="hint" href={placeOf.message(room.id, message.id)}>
              Show in the room
            </a>
          </div>
        ))}
      </div>
    </aside>
  );
}
