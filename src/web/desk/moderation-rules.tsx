/** The rules of a room or of all rooms. A new rule can be tried on past messages before it is added. */
import { useEffect, useState } from 'preact/hooks';
import type { ModerationRule, NewModerationRule, RuleRehearsal } from '../../client/parley-client.ts';
import { type Attempt, useAttempt } from '../components/attempt.ts';
import { useConfirm } from '../components/confirm.tsx';
import { LengthHint, noteLengthMax } from '../components/length-limit.tsx';
import { Refusal } from '../components/refusal.tsx';
import type { ModerationPaneProps } from './moderation-pane-props.ts';

const kinds = { word: 'Word', phrase: 'Phrase', regex: 'Regular expression', link: 'Link' } as const;
const hints = {
  word: 'Found in disguise too: b4n4n4, b a n a n a',
  phrase: 'Several words in a row',
  regex: 'RE2 syntax, e.g. order\\s+#\\d{4}',
  link: 'A host and its subdomains, e.g. example.com or example.com/offers',
} as const;
const actions = { block: 'Block', flag: 'Flag for the queue' } as const;
/** The server's bound, in code points. */
const patternLengthMax = 500;

export function RulesPane({ store, roomId }: ModerationPaneProps) {
  const confirm = useConfirm();
  const [rules, setRules] = useState<readonly ModerationRule[]>();
  const { busy, problem, attempt } = useAttempt();
  const { moderation } = store.client;

  const load = async () => setRules((await moderation.rules(roomId)).items);
  useEffect(() => void attempt(load), [store, roomId]);
  const change = (work: () => Promise<unknown>) =>
    attempt(async () => {
      await work();
      await load();
    });

  async function remove({ id, pattern, action }: ModerationRule): Promise<void> {
    const words = `From then on it ${action === 'block' ? 'blocks' : 'flags'} nothing. This cannot be undone.`;
    if (await confirm({ title: `Delete rule “${pattern.slice(0, 60)}”?`, words, action: 'Delete' }))
      await change(() => moderation.deleteRule(id));
  }

  return (
    <section aria-label="Rules">
      <RuleForm
        store={store}
        roomId={roomId}
        onCreate={(rule) => change(() => moderation.createRule(rule))}
        attempt={attempt}
        busy={busy}
        problem={problem}
      />
      <ul class="entries" aria-label="Rules in force">
        {rules?.map((rule) => (
          <RuleItem key={rule.id} rule={rule} busy={busy} onRemove={() => void remove(rule)} />
        ))}
      </ul>
      {rules?.length === 0 && (
        <p class="hint">No rules yet. The lists and the spam filter that come with Parley work without them.</p>
      )}
    </section>
  );
}

function RuleForm({
  store,
  roomId,
  onCreate,
  busy,
  problem,
  attempt,
}: ModerationPaneProps &
  Attempt & {
    /** @returns whether the rule was created */
    onCreate: (rule: NewModerationRule) => Promise<boolean>;
  }) {
  const [kind, setKind] = useState<NewModerationRule['kind']>('word');
  const [action, setAction] = useState<NewModerationRule['action']>('block');
  const [pattern, setPattern] = useState('');
  const [note, setNote] = useState('');
  const [rehearsal, setRehearsal] = useState<RuleRehearsal>();

  const draft = (): NewModerationRule => ({
    kind,
    action,
    pattern,
    ...(roomId === undefined ? {} : { roomId }),
    ...(note.trim() === '' ? {} : { note: note.trim() }),
  });
  async function create(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (!(await onCreate(draft()))) return;
    setPattern('');
    setNote('');
    setRehearsal(undefined);
  }

  return (
    <form class="settings-form" onSubmit={(event) => void create(event)}>
      <h3>New rule</h3>
      <div class="row">
        <Choice label="Kind" value={kind} options={kinds} onChange={setKind} />
        <Choice label="What happens" value={action} options={actions} onChange={setAction} />
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
      <Refusal words={problem} />
      <div class="row">
        <button
          type="button"
          disabled={busy || pattern === ''}
          onClick={() => void attempt(async () => setRehearsal(await store.client.moderation.rehearseRule(draft())))}
        >
          Try it on the last 7 days
        </button>
        <button class="primary" type="submit" disabled={busy}>
          Add rule
        </button>
      </div>
      {rehearsal && <RehearsalView rehearsal={rehearsal} />}
    </form>
  );
}

function Choice<Value extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: Value;
  options: Readonly<Record<Value, string>>;
  onChange: (value: Value) => void;
}) {
  return (
    <select aria-label={label} value={value} onChange={(event) => onChange(event.currentTarget.value as Value)}>
      {Object.entries<string>(options).map(([each, words]) => (
        <option key={each} value={each}>
          {words}
        </option>
      ))}
    </select>
  );
}

function RuleItem({ rule, busy, onRemove }: { rule: ModerationRule; busy: boolean; onRemove: () => void }) {
  return (
    <li>
      <span>
        <strong>{rule.pattern}</strong>
        <span class="hint">
          {kinds[rule.kind]} · {rule.action === 'block' ? 'blocked' : 'flagged'} · by{' '}
          <bdi>{rule.createdBy.displayName}</bdi>
          {rule.note && ' · '}
          <bdi>{rule.note}</bdi>
        </span>
      </span>
      <button type="button" disabled={busy} aria-label={`Delete rule ${rule.pattern}`} onClick={onRemove}>
        Delete
      </button>
    </li>
  );
}

function RehearsalView({ rehearsal }: { rehearsal: RuleRehearsal }) {
  const { matched, wouldBlock, checked, authors, complete, examples } = rehearsal;
  return (
    <div class="rehearsal" role="status">
      <p>
        {matched === 0
          ? `It would have matched none of ${checked} messages.`
          : `It would have ${wouldBlock > 0 ? 'blocked' : 'flagged'} ${matched} of ${checked} messages, by ${authors} ${authors === 1 ? 'person' : 'people'}.`}
        {!complete && ' There are more messages than were tried.'}
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
