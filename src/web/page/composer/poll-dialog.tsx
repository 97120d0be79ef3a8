/** Writes a poll. */
import { useState } from 'preact/hooks';
import type { NewPoll } from '../../../client/parley-client.ts';
import { Dialog } from '../../components/dialog.tsx';
import { MomentField } from '../../components/moment-field.tsx';

const optionsMin = 2;
const optionsMax = 10;

export function PollDialog({ onSend, onClose }: { onSend: (poll: NewPoll) => void; onClose: () => void }) {
  const [question, setQuestion] = useState('');
  const [options, setOptions] = useState<readonly string[]>(['', '']);
  const [multiple, setMultiple] = useState(false);
  const [anonymous, setAnonymous] = useState(false);
  const [closesAt, setClosesAt] = useState<string>();
  const written = options.map((each) => each.trim()).filter(Boolean);
  const complete = question.trim() !== '' && written.length >= optionsMin;

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    if (!complete) return;
    const terms = { ...(multiple ? { multiple } : {}), ...(anonymous ? { anonymous } : {}) };
    onSend({ question: question.trim(), options: written, ...terms, ...(closesAt ? { closesAt } : {}) });
    onClose();
  }

  return (
    <Dialog title="Poll" onClose={onClose}>
      <form onSubmit={submit}>
        <div class="field">
          <label for="poll-question">Question</label>
          <input
            id="poll-question"
            value={question}
            required
            data-first-focus
            onInput={(event) => setQuestion(event.currentTarget.value)}
          />
        </div>
        <fieldset class="choices">
          <legend>Options</legend>
          {options.map((option, index) => (
            <input
              key={index}
              aria-label={`Option ${index + 1}`}
              value={option}
              onInput={(event) => setOptions(options.with(index, event.currentTarget.value))}
            />
          ))}
          {options.length < optionsMax && (
            <button type="button" class="link" onClick={() => setOptions([...options, ''])}>
              Add option
            </button>
          )}
        </fieldset>
        <label class="check">
          <input type="checkbox" checked={multiple} onChange={() => setMultiple(!multiple)} /> Several may be chosen
        </label>
        <label class="check">
          <input type="checkbox" checked={anonymous} onChange={() => setAnonymous(!anonymous)} /> Anonymous: nobody sees
          who voted for what
        </label>
        <MomentField label="Closes" none="Never" onChange={setClosesAt} />
        <div class="row end">
          <button class="primary" type="submit" disabled={!complete}>
            Send poll
          </button>
        </div>
      </form>
    </Dialog>
  );
}
