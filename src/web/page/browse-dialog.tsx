/** Finds public rooms and joins them. */
import { useEffect, useState } from 'preact/hooks';
import type { Page, Room } from '../../client/parley-client.ts';
import { type ChatStore, explainRefusal } from '../components/chat-store.ts';
import { Dialog } from '../components/dialog.tsx';
import { Refusal } from '../components/refusal.tsx';

export function BrowseDialog({ store, onClose }: { store: ChatStore; onClose: () => void }) {
  const [query, setQuery] = useState('');
  const [rooms, setRooms] = useState<readonly Room[]>([]);
  const [problem, setProblem] = useState('');

  useEffect(() => {
    let wanted = true;
    const timer = setTimeout(() => {
      store.client.call<Page<Room>>('GET', `/v1/rooms?visibility=public&query=${encodeURIComponent(query)}`).then(
        ({ items }) => {
          if (wanted) setRooms(items);
        },
        (error: unknown) => setProblem(explainRefusal(error)),
      );
    }, 150);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [store, query]);

  async function join(room: Room): Promise<void> {
    try {
      if (!store.state.rooms.has(room.id)) await store.client.call('PUT', `/v1/rooms/${room.id}/members/me`);
      location.hash = `#/rooms/${room.id}`;
      onClose();
    } catch (error) {
      setProblem(explainRefusal(error));
    }
  }

  return (
    <Dialog title="Public rooms" onClose={onClose}>
      <div class="field">
        <label for="room-query">Search rooms</label>
        <input id="room-query" type="search" value={query} onInput={(event) => setQuery(event.currentTarget.value)} />
      </div>
      <Refusal words={problem} />
      <ul class="found">
        {rooms.map((room) => {
          const act = store.state.rooms.has(room.id) ? 'Open' : 'Join';
          return (
            <li key={room.id}>
              <span>
                <strong>
                  <bdi>{room.name}</bdi>
                </strong>
                <span class="hint">
                  {' '}
                  {room.memberCount} {room.memberCount === 1 ? 'person' : 'people'}
                </span>
                {room.topic && (
                  <span class="topic" dir="auto">
                    {room.topic}
                  </span>
                )}
              </span>
              <button type="button" onClick={() => void join(room)} aria-label={`${act} ${room.name}`}>
                {act}
              </button>
            </li>
          );
        })}
      </ul>
      {rooms.length === 0 && <p class="hint">No public room has such a name.</p>}
    </Dialog>
  );
}
