/** Rooms on the left and the open room on the right; on a small screen only one of them. */
import { useEffect, useState } from 'preact/hooks';
import { ClientError, isInRoom } from '../../client/parley-client.ts';
import type { ChatState, ChatStore } from '../components/chat-store.ts';
import { type Place, placeOf } from '../components/page-places.ts';
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
  place,
  onLogOut,
}: {
  store: ChatStore;
  place: Place | undefined;
  onLogOut: () => void;
}) {
  const state = useChat(store);
  const room = place === undefined ? undefined : state.rooms.get(place.roomId);
  const [lost, setLost] = useState(false);

  useEffect(() => {
    // Only rooms of the user's own list are opened: joining comes first.
    if (room && place?.messageId === undefined) void store.open(room.id);
  }, [store, room?.id, place?.messageId]);
  useEffect(() => {
    setLost(false);
    store.set({ pointed: undefined });
    if (room && place?.messageId !== undefined) void showLinked(store, place, () => setLost(true));
  }, [store, room?.id, place?.messageId, place?.threadId]);

  const unread = [...state.rooms.values()].reduce((sum, each) => sum + each.unread, 0);
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ''}${room ? `${room.name} · ` : ''}Parley`;
  }, [unread, room?.name]);

  return (
    <div class={`chat ${room ? 'in-room' : ''}`}>
      <ConnectionBanner state={state} store={store} />
      <ReminderBanner state={state} store={store} />
      <RoomList store={store} state={state} openId={room?.id} onLogOut={onLogOut} />
      {room ? (
        <RoomPane key={room.id} store={store} state={state} room={room} place={place!} lost={lost} />
      ) : (
        <main class="empty">
          <p>{state.ready ? 'Choose a room, or make a new one.' : 'Loading …'}</p>
        </main>
      )}
    </div>
  );
}

/** Shows the message that the address names, in its room or in its thread. */
async function showLinked(store: ChatStore, place: Place, onLost: () => void): Promise<void> {
  const { roomId, messageId = '', threadId } = place;
  try {
    const message = await store.showMessage(roomId, messageId);
    if (!isInRoom(message) && !threadId)
      location.replace(placeOf.inThread(roomId, message.threadId ?? messageId, messageId));
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    onLost();
  } finally {
    void store.open(roomId);
  }
}

/** A bookmark whose time has come. */
function ReminderBanner({ state: { reminder }, store }: { state: ChatState; store: ChatStore }) {
  const close = () => store.set({ reminder: undefined });
  return (
    <div class="banner-place" aria-live="polite">
      {reminder && (
        <div class="banner" role="status">
          Reminder{reminder.note && ': '}
          <bdi>{reminder.note}</bdi>{' '}
          <a href={placeOf.message(reminder.roomId, reminder.messageId)} onClick={close}>
            Show message
          </a>
          <button type="button" class="link" onClick={close}>
            Dismiss
          </button>
        </div>
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
