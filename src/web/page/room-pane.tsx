/** One room: its messages, who is writing, and where one writes oneself. */
import { Fragment } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Member, OwnRoom, Page } from '../../client/parley-client.ts';
import { Avatar } from '../components/avatar.tsx';
import { type ChatState, type ChatStore, explainRefusal, moderates } from '../components/chat-store.ts';
import { useConfirm } from '../components/confirm.tsx';
import { Dialog } from '../components/dialog.tsx';
import { ModerationDialog } from '../desk/moderation-dialog.tsx';
import { Composer } from './composer.tsx';
import { InviteLinks } from './invite-link.tsx';
import { MemberActions } from './member-actions.tsx';
import { MessageList } from './message-list.tsx';

export function RoomPane({ store, state, room }: { store: ChatStore; state: ChatState; room: OwnRoom }) {
  const typing = [...(state.typing.get(room.id)?.values() ?? [])];
  const composer = useRef<HTMLTextAreaElement>(null);
  const [people, setPeople] = useState(false);
  const [desk, setDesk] = useState(false);

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
          <button type="button" class="link" onClick={() => setDesk(true)}>
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
      {desk && <ModerationDialog store={store} roomId={room.id} name={room.name} onClose={() => setDesk(false)} />}
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

function PeopleDialog({ store, room, onClose }: { store: ChatStore; room: OwnRoom; onClose: () => void }) {
  const confirm = useConfirm();
  const [members, setMembers] = useState<readonly Member[]>([]);
  const [moderated, setModerated] = useState<Member['user']>();
  const [problem, setProblem] = useState('');
  useEffect(() => {
    store.client.call<Page<Member>>('GET', `/v1/rooms/${room.id}/members?limit=100`).then(
      ({ items }) => setMembers(items),
      (error: unknown) => setProblem(explainRefusal(error)),
    );
  }, [store, room.id]);

  async function leave(): Promise<void> {
    const confirmed = await confirm({
      title: (
        <>
          Leave <bdi>{room.name}</bdi>?
        </>
      ),
      words:
        room.visibility === 'public'
          ? 'You can join again later from the list of public rooms.'
          : 'The room is private: you need an invitation to come back.',
      action: 'Leave',
    });
    if (!confirmed) return;
    try {
      await store.client.call('DELETE', `/v1/rooms/${room.id}/members/me`);
      location.hash = '';
      onClose();
    } catch (error) {
      setProblem(explainRefusal(error));
    }
  }

  async function writeTo(userId: string): Promise<void> {
    try {
      const { id } = await store.client.call<{ id: string }>('POST', '/v1/dms', { userIds: [userId] });
      location.hash = `#/rooms/${id}`;
      onClose();
    } catch (error) {
      setProblem(explainRefusal(error));
    }
  }

  return (
    <Dialog
      title={
        room.kind === 'dm' ? (
          'People in this conversation'
        ) : (
          <>
            People in <bdi>{room.name}</bdi>
          </>
        )
      }
      onClose={onClose}
    >
      <ul class="found">
        {members.map(({ user, role }) => (
          <li key={user.id}>
            <Avatar person={user} />
            <span class="person">
              <strong>
                <bdi>{user.displayName}</bdi>
              </strong>
              <span class="hint">
                {' '}
                @{user.username}
                {role === 'member' ? '' : ` · ${role}`}
              </span>
            </span>
            {user.id !== store.client.user()?.id && (
              <span class="row">
                {moderates(store.client, room) && (
                  <button
                    type="button"
                    class="link"
                    onClick={() => setModerated(user)}
                    aria-label={`Moderate ${user.displayName}`}
                  >
                    Moderate
                  </button>
                )}
                <button type="button" onClick={() => void writeTo(user.id)} aria-label={`Message ${user.displayName}`}>
                  Message
                </button>
              </span>
            )}
          </li>
        ))}
      </ul>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {room.kind === 'room' && (
        <div class="settings-form">
          <InviteLinks store={store} roomId={room.id} />
          <div class="row">
            <button type="button" onClick={() => void leave()}>
              Leave room
            </button>
          </div>
        </div>
      )}
      {moderated && (
        <MemberActions store={store} roomId={room.id} person={moderated} onClose={() => setModerated(undefined)} />
      )}
    </Dialog>
  );
}
