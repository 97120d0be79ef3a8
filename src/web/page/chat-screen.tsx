/** Rooms on the left and the open room on the right; on a small screen only one of them. */
import { useEffect, useState } from 'preact/hooks';
import type { ChatState, ChatStore } from '../components/chat-store.ts';
import { RoomList } from './room-list.tsx';
import { RoomPane } from './room-pane.tsx';

export function useChat(store: ChatStore): ChatState {
  const [state, setState] = useState(store.state);
  useEffect(() => {
    setState(store.state);
    return store.subscribe(() => setState(store.state));
  }, [store]);
  return state;
}

export function ChatScreen({
  store,
  roomId,
  onLogOut,
}: {
  store: ChatStore;
  roomId: string | undefined;
  onLogOut: () => void;
}) {
  const state = useChat(store);
  const room = roomId === undefined ? undefined : state.rooms.get(roomId);

  useEffect(() => {
    // Only rooms of the user's own list are opened: joining comes first.
    if (room) void store.open(room.id);
    else void store.open(undefined);
  }, [store, room?.id]);

  const unread = [...state.rooms.values()].reduce((sum, each) => sum + each.unread, 0);
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ''}${room ? `${room.name} · ` : ''}Parley`;
  }, [unread, room?.name]);

  return (
    <div class={`chat ${room ? 'in-room' : ''}`}>
      <ConnectionBanner state={state} store={store} />
      <RoomList store={store} state={state} openId={room?.id} onLogOut={onLogOut} />
      {room ? (
        <RoomPane key={room.id} store={store} state={state} room={room} />
      ) : (
        <main class="empty">
          <p>{state.ready ? 'Choose a room, or make a new one.' : 'Loading …'}</p>
        </main>
      )}
    </div>
  );
}

function ConnectionBanner({ state, store }: { state: ChatState; store: ChatStore }) {
  const [late, setLate] = useState(false);
  const { socket } = state;
  const away = socket.name !== 'live';
  const [reason, setReason] = useState<string>();
  useEffect(() => {
    // The reason stays on the screen during the next attempt.
    if (socket.name === 'live' || (socket.name === 'waiting' && socket.reason))
      setReason(socket.name === 'waiting' ? socket.reason : undefined);
  }, [socket]);
  useEffect(() => {
    // A connection that is back at once is not worth a banner.
    const timer = setTimeout(() => setLate(away), away ? 400 : 0);
    return () => clearTimeout(timer);
  }, [away]);
  return (
    <div class="banner-place" aria-live="polite">
      {away && late && (
        <div class="banner" role="status">
          {reason
            ? `The server does not accept live connections from this address: ${reason}.`
            : 'Reconnecting … Messages are sent when the connection is back.'}
          <button type="button" class="link" onClick={() => store.client.connect()}>
            Try now
          </button>
        </div>
      )}
    </div>
  );
}
