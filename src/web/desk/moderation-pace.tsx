/** Slow mode: how often a person may write in a room. */
import { useEffect, useState } from 'preact/hooks';
import type { Room } from '../../client/parley-client.ts';
import { explainRefusal } from '../components/chat-store.ts';
import { Refusal } from '../components/refusal.tsx';
import type { ModerationPaneProps } from './moderation-pane-props.ts';

const paces = [0, 5, 10, 30, 60, 300, 900, 3600] as const;

function inWords(seconds: number): string {
  if (seconds === 0) return 'no slow mode';
  if (seconds < 60) return `one message in ${seconds} seconds`;
  return seconds === 60 ? 'one message a minute' : `one message in ${Math.round(seconds / 60)} minutes`;
}

export function PacePane({ store, roomId }: ModerationPaneProps) {
  const [seconds, setSeconds] = useState<number>();
  const [said, setSaid] = useState('');
  const [problem, setProblem] = useState('');
  const path = `/v1/rooms/${roomId}`;

  async function attempt(work: () => Promise<Room>): Promise<boolean> {
    setSaid('');
    try {
      setSeconds((await work()).slowModeSeconds);
      setProblem('');
      return true;
    } catch (error) {
      setProblem(explainRefusal(error));
      return false;
    }
  }
  useEffect(() => void attempt(() => store.client.call<Room>('GET', path)), [store, path]);

  async function choose(slowModeSeconds: number): Promise<void> {
    if (await attempt(() => store.client.call<Room>('PATCH', path, { slowModeSeconds })))
      setSaid(`${inWords(slowModeSeconds)}, for everybody but moderators.`);
  }

  return (
    <section aria-label="Slow mode">
      <div class="settings-form">
        <div class="field">
          <label for="room-pace">Slow mode</label>
          <select
            id="room-pace"
            value={String(seconds ?? 0)}
            disabled={seconds === undefined}
            onChange={(event) => void choose(Number(event.currentTarget.value))}
          >
            {[...new Set([...paces, seconds ?? 0])]
              .sort((left, right) => left - right)
              .map((each) => (
                <option key={each} value={String(each)}>
                  {inWords(each)}
                </option>
              ))}
          </select>
        </div>
        {said && <p role="status">{said}</p>}
        <Refusal words={problem} />
      </div>
    </section>
  );
}
