/** The open room: its messages, the people who are writing, and the composer. */
import { Fragment } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { OwnRoom } from '../../client/parley-client.ts';
import { type ChatState, type ChatStore, moderates } from '../components/chat-store.ts';
import { Icon } from '../components/icon.tsx';
import { type Place, placeOf } from '../components/page-places.ts';
import { ModerationDialog } from '../desk/moderation-dialog.tsx';
import { Composer } from './composer/composer.tsx';
import { MessageList } from './message-list.tsx';
import { PeopleDialog } from './people-dialog.tsx';
import { PinsPane } from './pins-pane.tsx';
import { ReadBy } from './read-by.tsx';
import { ThreadPane } from './thread-pane.tsx';

interface RoomPaneProps {
  readonly store: ChatStore;
  readonly state: ChatState;
  readonly room: OwnRoom;
  readonly place: Place;
  /** The message that the address names is not there. */
  readonly lost: boolean;
}

export function RoomPane({ store, state, room, place, lost }: RoomPaneProps) {
  const typing = [...(state.typing.get(room.id)?.values() ?? [])];
  const composer = useRef<HTMLTextAreaElement>(null);
  const [people, setPeople] = useState(false);
  const [isModerating, setModerating] = useState(false);

  const beside = place.threadId !== undefined || place.pane !== undefined;
  return (
    <div class={`room-area ${beside ? 'with-side' : ''}`}>
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
          <a class="icon-button" href={placeOf.pins(room.id)} aria-label="Pinned messages" title="Pinned messages">
            <Icon name="pin" />
          </a>
          {moderates(store.client, room) && (
            <button type="button" class="link folds" aria-label="Moderation" onClick={() => setModerating(true)}>
              <Icon name="shield" />
              <span>Moderation</span>
            </button>
          )}
          <button
            type="button"
            class="link folds"
            aria-label={`${room.memberCount} ${room.memberCount === 1 ? 'person' : 'people'}`}
            onClick={() => setPeople(true)}
          >
            <Icon name="people" />
            <span>
              {room.memberCount} <span class="unit">{room.memberCount === 1 ? 'person' : 'people'}</span>
            </span>
          </button>
        </header>
        {lost && (
          <p class="problem" role="alert">
            The message of this link is not there, or you may not read it.
          </p>
        )}
        <MessageList store={store} state={state} room={room} onEditEnd={() => composer.current?.focus()} />
        <ReadBy state={state} room={room} me={store.userId} />
        <p class="typing" aria-live="polite">
          <TypingNames names={typing} />
        </p>
        <Composer store={store} room={room} input={composer} />
        {isModerating && (
          <ModerationDialog store={store} roomId={room.id} name={room.name} onClose={() => setModerating(false)} />
        )}
        {people && <PeopleDialog store={store} room={room} onClose={() => setPeople(false)} />}
      </main>
      {place.threadId && (
        <ThreadPane key={place.threadId} store={store} state={state} room={room} threadId={place.threadId} />
      )}
      {place.pane === 'pins' && <PinsPane store={store} state={state} room={room} />}
    </div>
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
