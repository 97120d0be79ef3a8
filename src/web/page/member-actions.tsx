/** What a moderator may do about a person, from a message or from the list of people. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Profile } from '../../client/parley-client.ts';
import { type ChatStore, explainRefusal } from '../components/chat-store.ts';
import { useConfirm } from '../components/confirm.tsx';
import { Dialog } from '../components/dialog.tsx';
import { LengthHint, noteLengthMax } from '../components/length-limit.tsx';

const times = [
  ['600', '10 minutes'],
  ['3600', 'an hour'],
  ['86400', 'a day'],
  ['604800', 'a week'],
] as const;

export function MemberActions({
  store,
  roomId,
  person,
  onClose,
}: {
  store: ChatStore;
  roomId: string;
  person: Profile;
  onClose: () => void;
}) {
  const confirm = useConfirm();
  const [seconds, setSeconds] = useState<string>(times[1][0]);
  const [reason, setReason] = useState('');
  const [done, setDone] = useState<ComponentChildren>('');
  const name = <bdi>{person.displayName}</bdi>;
  const [problem, setProblem] = useState('');
  const { moderation } = store.client;

  async function attempt(work: () => Promise<unknown>, words: ComponentChildren): Promise<void> {
    setProblem('');
    setDone('');
    try {
      await work();
      setDone(words);
    } catch (error) {
      setProblem(explainRefusal(error));
    }
  }
  const timeWords = times.find(([value]) => value === seconds)?.[1];

  /** @param extent how long and where, in words: of the question, and of the answer */
  async function ban(
    where: { roomId?: string; seconds?: number },
    { extent, said = '' }: { extent: string; said?: string },
  ): Promise<void> {
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
    const why = reason.trim() === '' ? {} : { reason: reason.trim() };
    await attempt(
      () => moderation.ban(person.id, { ...where, ...why }),
      <>
        {name} is banned{said}.
      </>,
    );
  }

  return (
    <Dialog title={<>Moderate {name}</>} onClose={onClose}>
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
        <div class="row">
          <button
            type="button"
            onClick={() =>
              void attempt(() => moderation.mute(roomId, person.id, Number(seconds)), <>{name} is muted.</>)
            }
          >
            Mute
          </button>
          <button
            type="button"
            onClick={() => void attempt(() => moderation.mute(roomId, person.id, 0), <>{name} may speak.</>)}
          >
            Unmute
          </button>
          <button
            type="button"
            class="danger"
            onClick={() => void ban({ roomId, seconds: Number(seconds) }, { extent: `for ${timeWords}` })}
          >
            Ban
          </button>
          <button
            type="button"
            class="danger"
            onClick={() => void ban({ roomId }, { extent: 'for good', said: ' for good' })}
          >
            Ban for good
          </button>
          {store.client.user()?.role !== 'user' && (
            <button
              type="button"
              class="danger"
              onClick={() =>
                void ban({ seconds: Number(seconds) }, { extent: `everywhere, for ${timeWords}`, said: ' everywhere' })
              }
            >
              Ban everywhere
            </button>
          )}
        </div>
        {done && <p role="status">{done}</p>}
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
      </div>
    </Dialog>
  );
}
