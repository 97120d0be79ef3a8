/** The rooms that the user is a member of, with their unread counts, and the buttons that lead to others. */

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Message, OwnRoom } from '../../client/parley-client.ts';
import { Avatar } from '../components/avatar.tsx';
import { type ChatState, type ChatStore, moderates } from '../components/chat-store.ts';
import { Icon } from '../components/icon.tsx';
import { ModerationDialog } from '../desk/moderation-dialog.tsx';
import { AccountDialog } from './account/account-dialog.tsx';
import { BrowseDialog } from './browse-dialog.tsx';
import { LaterDialog } from './later/later-dialog.tsx';
import { NewRoomDialog } from './new-room-dialog.tsx';
import { StatusDialog } from './status-dialog.tsx';

interface RoomListProps {
  readonly store: ChatStore;
  readonly state: ChatState;
  readonly openId: string | undefined;
  readonly onLogOut: () => void;
}

export function RoomList({ store, state, openId, onLogOut }: RoomListProps) {
  const [dialog, setDialog] = useState<'new' | 'browse' | 'account' | 'moderation' | 'status' | 'later' | undefined>();
  const user = store.client.user();
  const rooms = [...state.rooms.values()].sort((left, right) => activeAt(right).localeCompare(activeAt(left)));
  const close = () => setDialog(undefined);
  return (
    <aside class="rooms" aria-label="Rooms">
      <header class="rooms-head">
        {openId ? <span class="brand">Parley</span> : <h1 class="brand">Parley</h1>}
        <button
          type="button"
          class="me"
          title={`Account settings of ${user?.username ?? ''}`}
          onClick={() => setDialog('account')}
        >
          <span class="unseen">Account settings: </span>
          <bdi class="me-name">{user?.displayName}</bdi>
          {user && <Avatar person={user} />}
          <span aria-hidden="true">⚙</span>
        </button>
        <button type="button" class="link" onClick={onLogOut}>
          Log out
        </button>
      </header>
      <div class="rooms-tools">
        <button type="button" class="primary" onClick={() => setDialog('new')}>
          New room
        </button>
        <button type="button" onClick={() => setDialog('browse')}>
          Browse
        </button>
        <button type="button" onClick={() => setDialog('later')}>
          Later
        </button>
        {moderates(store.client, undefined) && (
          <button type="button" onClick={() => setDialog('moderation')}>
            Moderation
          </button>
        )}
        <button
          type="button"
          class="icon-button"
          aria-label={`Set a status${user?.status?.text ? `: ${user.status.text}` : ''}`}
          title={user?.status?.text ?? 'Set a status'}
          onClick={() => setDialog('status')}
        >
          {user?.status?.emoji ?? <Icon name="smile" />}
        </button>
      </div>
      <nav aria-label="My rooms">
        <ul>
          {rooms.map((room) => (
            <li key={room.id}>
              <a
                href={`#/rooms/${room.id}`}
                class={`room ${room.unread > 0 ? 'fresh' : ''}`}
                aria-current={room.id === openId ? 'page' : undefined}
              >
                <span class="room-name">
                  <span class="sigil" aria-hidden="true">
                    {room.kind === 'dm' ? '@' : room.visibility === 'private' ? '◆' : '#'}
                  </span>
                  <bdi>{room.name}</bdi>
                </span>
                {room.unread > 0 && (
                  <span class={`count ${room.mentions > 0 ? 'mentioned' : ''}`}>
                    {room.unread}
                    <span class="unseen"> unread</span>
                  </span>
                )}
                <span class="room-last">{lastLine(room)}</span>
              </a>
            </li>
          ))}
        </ul>
        {state.ready && rooms.length === 0 && <p class="hint">No rooms yet. Make one, or browse the public ones.</p>}
      </nav>
      {dialog === 'moderation' && (
        <ModerationDialog store={store} roomId={undefined} name="all rooms" onClose={close} />
      )}
      {dialog === 'status' && <StatusDialog store={store} onClose={close} />}
      {dialog === 'later' && <LaterDialog store={store} first="threads" onClose={close} />}
      {dialog === 'new' && <NewRoomDialog store={store} onClose={close} />}
      {dialog === 'account' && (
        <AccountDialog client={store.client} onChange={() => store.profileChanged()} onClose={close} />
      )}
      {dialog === 'browse' && <BrowseDialog store={store} onClose={close} />}
    </aside>
  );
}

function activeAt(room: OwnRoom): string {
  return room.lastMessage?.createdAt ?? '';
}

function lastLine({ lastMessage }: OwnRoom): ComponentChildren {
  if (!lastMessage) return 'No messages yet';
  if (lastMessage.deletedAt) return 'Message deleted';
  return (
    <>
      <bdi>{lastMessage.sender.displayName}</bdi>: <bdi>{lastMessage.text.slice(0, 80) || wordsFor(lastMessage)}</bdi>
    </>
  );
}

/** For a message that has no text. */
function wordsFor({ poll, attachments, streaming }: Message): string {
  if (poll) return `Poll: ${poll.question}`;
  if (streaming) return 'Writing …';
  return attachments.length === 1 ? attachments[0]!.name : `${attachments.length} files`;
}
