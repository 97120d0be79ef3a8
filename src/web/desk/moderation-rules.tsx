/** Rules of a room or of the deployment: what they would have done is seen before they are made. */
import { useEffect, useState } from 'preact/hooks';
import type { ModerationRule, NewModerationRule, RuleRehearsal } from '../../client/parley-client.ts';
import { explainRefusal } from '../components/chat-store.ts';
import { useConfirm } from '../components/confirm.tsx';
import { LengthHint, noteLengthMax } from '../components/length-limit.tsx';
import type { DeskProps } from './moderation-dialog.tsx';

const kinds = { word: 'Word', phrase: 'Phrase', regex: 'Regular expression', link: 'Link' } as const;
const hints = {
  word: 'Found in disguise too: b4n4n4, b a n a n a',
  phrase: 'Several words in a row',
  regex: 'RE2 syntax, e.g. order\\s+#\\d{4}',
  link: 'A host and its subdomains, e.g. example.com or example.com/offers',
} as const;
/** As the server takes it. */
const patternLengthMax = 500;

export function RulesPane({ store, roomId }: DeskProps) {
  const confirm = useConfirm();
  const [rules, setRules] = useState<readonly ModerationRule[]>();
  const [kind, setKind] = useState<NewModerationRule['kind']>('word');
  const [action, setAction] = useState<NewModerationRule['action']>('block');
  const [pattern, setPattern] = useState('');
  const [note, setNote] = useState('');
  const [rehearsal, setRehearsal] = useState<RuleRehearsal>();
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const { moderation } = store.client;

  async function attempt(work: () => Promise<void>): Promise<void> {
    setBusy(true);
    setProblem('');
    try {
      await work();
    } catch (error) {
      setProblem(explainRefusal(error));
    } finally {
      setBusy(false);
    }
  }

  const load = async () => setRules((await moderation.rules(roomId)).items);
  useEffect(() => void attempt(load), [store, roomId]);

  const draft = (): NewModerationRule => ({
    kind,
    action,
    pattern,
    ...(roomId === undefined ? {} : { roomId }),
    ...(note.trim() === '' ? {} : { note: note.trim() }),
  });

  function create(event: SubmitEvent): void {
    event.preventDefault();
    void attempt(async () => {
      await moderation.createRule(draft());
      setPattern('');
      setNote('');
      setRehearsal(undefined);
      await load();
    });
  }

  async function remove({ id, pattern: deleted, action: act }: ModerationRule): Promise<void> {
    const words = `From then on it ${act === 'block' ? 'blocks' : 'flags'} nothing. This cannot be undone.`;
    if (!(await confirm({ title: `Delete rule “${deleted.slice(0, 60)}”?`, words, action: 'Delete' }))) return;
    await attempt(async () => {
      await moderation.deleteRule(id);
      await load();
    });
  }

  return (
    <section aria-label="Rules">
      <form class="settings-form" onSubmit={create}>
        <h3>New rule</h3>
        <div class="row">
          <select
            aria-label="Kind"
            value={kind}
            onChange={(event) => setKind(event.currentTarget.value as NewModerationRule['kind'])}
          >
            {Object.entries(kinds).map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
          <select
            aria-label="What happens"
            value={action}
            onChange={(event) => setAction(event.currentTarget.value as NewModerationRule['action'])}
          >
            <option value="block">Block</option>
            <option value="flag">Flag for the queue</option>
          </select>
        </div>
        <div class="field">
          <label for="rule-pattern">Pattern</label>
          <input
            id="rule-pattern"
            required
            value={pattern}
            placeholder={hints[kind]}
            onInput={(event) => {
              setPattern(event.currentTarget.value);
              setRehearsal(undefined);
            }}
          />
          <LengthHint text={pattern} lengthMax={patternLengthMax} />
        </div>
        <div class="field">
          <label for="rule-note">Note (optional)</label>
          <input id="rule-note" value={note} onInput={(event) => setNote(event.currentTarget.value)} />
          <LengthHint text={note} lengthMax={noteLengthMax} />
        </div>
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <div class="row">
          <button
            type="button"
            disabled={busy || pattern === ''}
            onClick={() => void attempt(async () => setRehearsal(await moderation.rehearseRule(draft())))}
          >
            Try it on the last 7 days
          </button>
          <button class="primary" type="submit" disabled={busy}>
            Add rule
          </button>
        </div>
        {rehearsal && <RehearsalView rehearsal={rehearsal} />}
      </form>
      <ul class="entries" aria-label="Rules in force">
        {rules?.map((rule) => (
          <li key={rule.id}>
            <span>
              <strong>{rule.pattern}</strong>
              <span class="hint">
                {kinds[rule.kind]} · {rule.action === 'block' ? 'blocked' : 'flagged'} · by{' '}
                <bdi>{rule.createdBy.displayName}</bdi>
                {rule.note && ' · '}
                <bdi>{rule.note}</bdi>
              </span>
            </span>
            <button
              type="button"
              disabled={busy}
              aria-label={`Delete rule ${rule.pattern}`}
              onClick={() => void remove(rule)}
            >
              Delete
            </button>
          </li>
        ))}
      </ul>
      {rules?.length === 0 && (
        <p class="hint">No rules yet. The shipped lists and the spam filter work without them.</p>
      )}
    </section>
  );
}

function RehearsalView({ rehearsal }: { rehearsal: RuleRehearsal }) {
  const { matched, wouldBlock, checked, authors, complete, examples } = rehearsal;
  return (
    <div class="rehearsal" role="status">
      <p>
        {matched === 0
          ? `It would have done nothing in ${checked} messages.`
          : `It would have ${wouldBlock > 0 ? 'blocked' : 'flagged'} ${matched} of ${checked} messages, by ${authors} ${authors === 1 ? 'person' : 'people'}.`}
        {!complete && ' There is more than was looked at.'}
      </p>
      <ul>
        {examples.slice(0, 5).map(({ messageId, sender, text }) => (
          <li key={messageId}>
            <strong>
              <bdi>{sender.displayName}</bdi>
            </strong>{' '}
            <bdi>{text.slice(0, 120)}</bdi>
          </li>
        ))}
      </ul>
    </div>
  );
}
