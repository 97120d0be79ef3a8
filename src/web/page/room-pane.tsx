/** The open room: its messages, the people who are writing, and the composer. */
import { Fragment } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { OwnRoom } from '../../client/parley-client.ts';
import { type ChatState, type ChatStore, moderates } from '../components/chat-store.ts';
import { ModerationDialog } from '../desk/moderation-dialog.tsx';
import { Composer } from './composer.tsx';
import { MessageList } from './message-list.tsx';
import { PeopleDialog } from './people-dialog.tsx';

export function RoomPane({ store, state, room }: { store: ChatStore; state: ChatState; room: OwnRoom }) {
  const typing = [...(state.typing.get(room.id)?.values() ?? [])];
  const composer = useRef<HTMLTextAreaElement>(null);
  const [people, setPeople] = useState(false);
  const [isModerating, setModerating] = useState(false);

  return (
    <main class="room-pane" aria-label={room.name}>
      <header class="room-head">
        <a class="back" href="#/" aria-label="Back to rooms">
          ‹
        </a>
        <div class="room-title">
          <h1>
            <bdi>{room.name}</bdi>
          </h1>
          {room.topic && (
            <p class="topic" dir="auto">
              {room.topic}
            </p>
          )}
        </div>
        {moderates(store.client, room) && (
          <button type="button" class="link" onClick={() => setModerating(true)}>
            Moderation
          </button>
        )}
        <button type="button" class="link" onClick={() => setPeople(true)}>
          {room.memberCount} {room.memberCount === 1 ? 'person' : 'people'}
        </button>
      </header>
      <MessageList store={store} state={state} room={room} onEditEnd={() => composer.current?.focus()} />
      <p class="typing" aria-live="polite">
        <TypingNames names={typing} />
      </p>
      <Composer store={store} roomId={room.id} roomName={room.name} input={composer} />
      {isModerating && (
        <ModerationDialog store={store} roomId={room.id} name={room.name} onClose={() => setModerating(false)} />
      )}
      {people && <PeopleDialog store={store} room={room} onClose={() => setPeople(false)} />}
    </main>
  );
}

function TypingNames({ names }: { names: readonly string[] }) {
  if (names.length === 0) return null;
  return (
    <>
      {names.slice(0, 3).map((name, index) => (
        <Fragment key={name}>
          {index > 0 && ', '}
          <bdi>{name}</bdi>
        </Fragment>
      ))}{' '}
      {names.length === 1 ? 'is' : 'are'} writing …
    </>
  );
}
