/** The people in a room, what can be done about each, and the ways to bring in others or to leave. */
import { useEffect, useState } from 'preact/hooks';
import type { CustomStatus, Member, OwnRoom, Page, Presence } from '../../client/parley-client.ts';
import { useAttempt } from '../components/attempt.ts';
import { Avatar } from '../components/avatar.tsx';
import { type ChatStore, moderates } from '../components/chat-store.ts';
import { useConfirm } from '../components/confirm.tsx';
import { Dialog } from '../components/dialog.tsx';
import { Refusal } from '../components/refusal.tsx';
import { InviteLinks } from './invite-link.tsx';
import { MemberActions } from './message/member-actions.tsx';

interface PeopleDialogProps {
  readonly store: ChatStore;
  readonly room: OwnRoom;
  readonly onClose: () => void;
}

export function PeopleDialog({ store, room, onClose }: PeopleDialogProps) {
  const [members, setMembers] = useState<readonly Member[]>([]);
  const [moderated, setModerated] = useState<Member['user']>();
  const { problem, attempt } = useAttempt();
  useEffect(() => {
    const path = `/v1/rooms/${room.id}/members?limit=100`;
    void attempt(async () => setMembers((await store.client.call<Page<Member>>('GET', path)).items));
  }, [store, room.id]);

  const writeTo = (userId: string) =>
    void attempt(async () => {
      const { id } = await store.client.call<{ id: string }>('POST', '/v1/dms', { userIds: [userId] });
      location.hash = `#/rooms/${id}`;
      onClose();
    });

  return (
    <Dialog title={titleOf(room)} onClose={onClose}>
      <ul class="found">
        {members.map((member) => (
          <MemberItem
            key={member.user.id}
            member={member}
            presence={store.state.presence.get(member.user.id)}
            status={store.state.statuses.get(member.user.id)}
            isMe={member.user.id === store.client.user()?.id}
            onModerate={moderates(store.client, room) ? () => setModerated(member.user) : undefined}
            onMessage={() => writeTo(member.user.id)}
          />
        ))}
      </ul>
      <Refusal words={problem} />
      {room.kind === 'room' && (
        <div class="settings-form">
          <InviteLinks store={store} roomId={room.id} />
          <LeaveButton store={store} room={room} onLeft={onClose} />
        </div>
      )}
      {moderated && (
        <MemberActions store={store} roomId={room.id} person={moderated} onClose={() => setModerated(undefined)} />
      )}
    </Dialog>
  );
}

function titleOf({ kind, name }: OwnRoom) {
  if (kind === 'dm') return 'People in this conversation';
  return (
    <>
      People in <bdi>{name}</bdi>
    </>
  );
}

function MemberItem({
  member: { user, role },
  presence,
  status,
  isMe,
  onModerate,
  onMessage,
}: {
  member: Member;
  presence: Presence | undefined;
  status: CustomStatus | null | undefined;
  isMe: boolean;
  /** Undefined: this user may not moderate the room. */
  onModerate: (() => void) | undefined;
  onMessage: () => void;
}) {
  return (
    <li>
      <Avatar person={user} presence={presence} />
      <span class="person">
        <strong>
          <bdi>{user.displayName}</bdi>
        </strong>
        <span class="hint">
          {' '}
          @{user.username}
          {role === 'member' ? '' : ` · ${role}`}
        </span>
        {status && (
          <span class="hint status-text">
            {status.emoji} <bdi>{status.text}</bdi>
          </span>
        )}
      </span>
      {!isMe && (
        <span class="row">
          {onModerate && (
            <button type="button" class="link" onClick={onModerate} aria-label={`Moderate ${user.displayName}`}>
              Moderate
            </button>
          )}
          <button type="button" onClick={onMessage} aria-label={`Message ${user.displayName}`}>
            Message
          </button>
        </span>
      )}
    </li>
  );
}

function LeaveButton({ store, room, onLeft }: Pick<PeopleDialogProps, 'store' | 'room'> & { onLeft: () => void }) {
  const confirm = useConfirm();
  const { busy, problem, attempt } = useAttempt();
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
    await attempt(async () => {
      await store.client.call('DELETE', `/v1/rooms/${room.id}/members/me`);
      location.hash = '';
      onLeft();
    });
  }
  return (
    <>
      <Refusal words={problem} />
      <div class="row">
        <button type="button" disabled={busy} onClick={() => void leave()}>
          Leave room
        </button>
      </div>
    </>
  );
}
