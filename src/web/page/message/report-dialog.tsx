/** Reports a message to the moderators. */
import { useState } from 'preact/hooks';
import type { Message } from '../../../client/parley-client.ts';
import { useAttempt } from '../../components/attempt.ts';
import type { ChatStore } from '../../components/chat-store.ts';
import { Dialog } from '../../components/dialog.tsx';
import { isTooLong, LengthHint } from '../../components/length-limit.tsx';
import { Refusal } from '../../components/refusal.tsx';

const reasons = ['Spam or fraud', 'Harassment or hate', 'Sexual content', 'Something else'] as const;
/** Together with the reason before it, within the server's bound. */
const wordsLengthMax = 900;

export function ReportDialog({ store, message, onClose }: { store: ChatStore; message: Message; onClose: () => void }) {
  const [reason, setReason] = useState<string>(reasons[0]);
  const [words, setWords] = useState('');
  const [done, setDone] = useState(false);
  const { busy, problem, attempt } = useAttempt();

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    void attempt(async () => {
      const said = words.trim() === '' ? reason : `${reason}: ${words.trim()}`;
      await store.client.moderation.report(message.roomId, message.id, said);
      setDone(true);
    });
  }

  return (
    <Dialog title="Report message" onClose={onClose}>
      {done ? (
        <div class="settings-form">
          <p role="status">Thank you. The moderators will look at it. Nobody else learns that you reported it.</p>
          <button type="button" class="primary" onClick={onClose}>
            Done
          </button>
        </div>
      ) : (
        <form onSubmit={submit}>
          <blockquote class="quoted">
            <strong>
              <bdi>{message.sender.displayName}</bdi>
            </strong>{' '}
            <bdi>{message.text.slice(0, 200)}</bdi>
          </blockquote>
          <fieldset class="choices">
            <legend>What is wrong with it?</legend>
            {reasons.map((each) => (
              <label class="check" key={each}>
                <input type="radio" name="reason" checked={reason === each} onChange={() => setReason(each)} />
                {each}
              </label>
            ))}
          </fieldset>
          <div class="field">
            <label for="report-words">Anything to add? (optional)</label>
            <textarea
              id="report-words"
              rows={3}
              value={words}
              onInput={(event) => setWords(event.currentTarget.value)}
            />
            <LengthHint text={words} lengthMax={wordsLengthMax} />
          </div>
          <Refusal words={problem} />
          <button class="primary" type="submit" disabled={busy || isTooLong(words, wordsLengthMax)}>
            Send report
          </button>
        </form>
      )}
    </Dialog>
  );
}
