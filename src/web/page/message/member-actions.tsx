/** A moderator's actions on a person, opened from a message or from the list of people. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Profile } from '../../../client/parley-client.ts';
import { useAttempt } from '../../components/attempt.ts';
import type { ChatStore } from '../../components/chat-store.ts';
import { useConfirm } from '../../components/confirm.tsx';
import { Dialog } from '../../components/dialog.tsx';
import { LengthHint, noteLengthMax } from '../../components/length-limit.tsx';
import { Refusal } from '../../components/refusal.tsx';

/** Seconds, and what they are called. */
const times = [
  ['600', '10 minutes'],
  ['3600', 'an hour'],
  ['86400', 'a day'],
  ['604800', 'a week'],
] as const;

type Scope = 'room' | 'room for good' | 'everywhere';

interface MemberActionsProps {
  readonly store: ChatStore;
  readonly roomId: string;
  readonly person: Profile;
  readonly onClose: () => void;
}

export function MemberActions({ store, roomId, person, onClose }: MemberActionsProps) {
  const [seconds, setSeconds] = useState<string>(times[1][0]);
  const [reason, setReason] = useState('');
  const { done, problem, mute, ban } = useMemberActions({ store, roomId, person });

  return (
    <Dialog
      title={
        <>
          Moderate <bdi>{person.displayName}</bdi>
        </>
      }
      onClose={onClose}
    >
      <div class="settings-form">
        <div class="field">
          <label for="act-time">For how long?</label>
          <select id="act-time" value={seconds} onChange={(event) => setSeconds(event.currentTarget.value)}>
            {times.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </div>
        <div class="field">
          <label for="act-reason">Reason of a ban (optional)</label>
          <input id="act-reason" value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
          <LengthHint text={reason} lengthMax={noteLengthMax} />
        </div>
        <ActionButtons
          isStaff={store.client.user()?.role !== 'user'}
          onMute={() => mute(Number(seconds))}
          onUnmute={() => mute(0)}
          onBan={(scope) => void ban(scope, { seconds: Number(seconds), reason: reason.trim() })}
        />
        {done && <p role="status">{done}</p>}
        <Refusal words={problem} />
      </div>
    </Dialog>
  );
}

function ActionButtons({
  isStaff,
  onMute,
  onUnmute,
  onBan,
}: {
  isStaff: boolean;
  onMute: () => void;
  onUnmute: () => void;
  onBan: (scope: Scope) => void;
}) {
  return (
    <div class="row">
      <button type="button" onClick={onMute}>
        Mute
      </button>
      <button type="button" onClick={onUnmute}>
        Unmute
      </button>
      <button type="button" class="danger" onClick={() => onBan('room')}>
        Ban
      </button>
      <button type="button" class="danger" onClick={() => onBan('room for good')}>
        Ban for good
      </button>
      {isStaff && (
        <button type="button" class="danger" onClick={() => onBan('everywhere')}>
          Ban everywhere
        </button>
      )}
    </div>
  );
}

function useMemberActions({ store, roomId, person }: Omit<MemberActionsProps, 'onClose'>) {
  const confirm = useConfirm();
  const { problem, attempt } = useAttempt();
  const [done, setDone] = useState<ComponentChildren>('');
  const { moderation } = store.client;
  const name = <bdi>{person.displayName}</bdi>;

  async function act(work: () => Promise<unknown>, words: ComponentChildren): Promise<void> {
    setDone('');
    if (await attempt(work)) setDone(words);
  }
  const mute = (seconds: number) =>
    void act(
      () => moderation.mute(roomId, person.id, seconds),
      <>
        {name} {seconds > 0 ? 'is muted' : 'can write again'}.
      </>,
    );

  async function ban(scope: Scope, { seconds, reason }: { seconds: number; reason: string }): Promise<void> {
    const time = `for ${times.find(([value]) => Number(value) === seconds)?.[1]}`;
    const kinds = {
      room: { order: { roomId, seconds }, extent: time, result: '' },
      'room for good': { order: { roomId }, extent: 'for good', result: ' for good' },
      everywhere: { order: { seconds }, extent: `everywhere, ${time}`, result: ' everywhere' },
    } as const satisfies Record<Scope, unknown>;
    const { order, extent, result } = kinds[scope];
    const confirmed = await confirm({
      title: (
        <>
          Ban {name} {extent}?
        </>
      ),
      words: 'They are removed at once. A ban can be lifted, but they have to join again themselves.',
      action: 'Ban',
    });
    if (!confirmed) return;
    await act(
      () => moderation.ban(person.id, { ...order, ...(reason === '' ? {} : { reason }) }),
      <>
        {name} is banned{result}.
      </>,
    );
  }
  return { done, problem, mute, ban };
}
