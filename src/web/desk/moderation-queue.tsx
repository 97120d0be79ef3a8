/** Reported and flagged messages, with what a moderator needs to decide about them. */
import { useEffect, useState } from 'preact/hooks';
import type { Message, ModerationLabel, QueueEntry } from '../../client/parley-client.ts';
import { useAttempt } from '../components/attempt.ts';
import { explainRefusal } from '../components/chat-store.ts';
import { LengthHint, noteLengthMax } from '../components/length-limit.tsx';
import { Refusal } from '../components/refusal.tsx';
import type { ModerationPaneProps } from './moderation-pane-props.ts';

const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const states = { open: 'Open', removed: 'Removed', approved: 'Approved' } as const;
const bans = [
  ['', 'no ban'],
  ['3600', 'ban for an hour'],
  ['86400', 'ban for a day'],
  ['604800', 'ban for a week'],
  ['forever', 'ban for good'],
] as const;

export function QueuePane({ store, roomId }: ModerationPaneProps) {
  const [state, setState] = useState<QueueEntry['state']>('open');
  const [entries, setEntries] = useState<readonly QueueEntry[]>();
  const [next, setNext] = useState<string | null>(null);
  const [problem, setProblem] = useState('');

  async function load(cursor?: string): Promise<void> {
    try {
      const page = await store.client.moderation.queue({ roomId, state, ...(cursor ? { cursor } : {}) });
      setEntries((before) => (cursor ? [...(before ?? []), ...page.items] : page.items));
      setNext(page.nextCursor);
      setProblem('');
    } catch (error) {
      setProblem(explainRefusal(error));
    }
  }

  useEffect(() => {
    setEntries(undefined);
    void load();
  }, [store, roomId, state]);

  return (
    <section aria-label="Queue">
      <fieldset class="row tabs" aria-label="Which entries">
        {(Object.keys(states) as QueueEntry['state'][]).map((each) => (
          <button type="button" key={each} aria-pressed={state === each} onClick={() => setState(each)}>
            {states[each]}
          </button>
        ))}
        <button type="button" class="link" onClick={() => void load()}>
          Refresh
        </button>
      </fieldset>
      <Refusal words={problem} />
      {entries?.length === 0 && (
        <p class="hint" role="status">
          {state === 'open' ? 'Nothing waits for a decision.' : 'Nothing here.'}
        </p>
      )}
      {entries?.map((entry) => (
        <QueueItem
          key={entry.id}
          store={store}
          entry={entry}
          showRoom={roomId === undefined}
          onDecided={() => setEntries((before) => before?.filter(({ id }) => id !== entry.id))}
        />
      ))}
      {next && (
        <button type="button" onClick={() => void load(next)}>
          More
        </button>
      )}
    </section>
  );
}

function QueueItem({
  store,
  entry,
  showRoom,
  onDecided,
}: Pick<ModerationPaneProps, 'store'> & { entry: QueueEntry; showRoom: boolean; onDecided: () => void }) {
  const { message, decision } = entry;
  return (
    <article class="case" aria-label={`Message by ${message.sender.displayName}`}>
      <header class="row">
        <strong>
          <bdi>{message.sender.displayName}</bdi>
        </strong>
        <span class="hint">@{message.sender.username}</span>
        {showRoom && (
          <span class="hint">
            in <bdi>{entry.room.name || 'a direct message'}</bdi>
          </span>
        )}
        <time dateTime={message.createdAt}>{calendar.format(new Date(message.createdAt))}</time>
      </header>
      <Context entry={entry} />
      <Evidence entry={entry} />
      <Reports entry={entry} />
      <AuthorRecord author={entry.author} />
      {decision && (
        <p class="hint">
          {states[entry.state]} by <bdi>{decision.by.displayName}</bdi>, {calendar.format(new Date(decision.at))}
          {decision.note && ': '}
          <bdi>{decision.note}</bdi>
        </p>
      )}
      <DecisionForm store={store} entry={entry} onDecided={onDecided} />
    </article>
  );
}

/** The message, between those before and after it. */
function Context({ entry: { message, labels, context } }: { entry: QueueEntry }) {
  return (
    <ol class="around" aria-label="Messages before and after">
      {context.before.map((each) => (
        <ContextLine key={each.id} message={each} />
      ))}
      <li class="accused">
        <Marked text={message.text} labels={labels} />
      </li>
      {context.after.map((each) => (
        <ContextLine key={each.id} message={each} />
      ))}
    </ol>
  );
}

/** Why the engine flagged the message, and the rules that matched. */
function Evidence({ entry: { labels, spamScore, engineVersion, rules } }: { entry: QueueEntry }) {
  return (
    <>
      {labels.length > 0 && (
        <p class="chips">
          {labels.map((label) => (
            <span class="chip" key={`${label.id} ${label.start}`} title={label.id}>
              {label.name} {Math.round(label.score * 100)} %
              {label.matched && label.matched.length < 40 && `: ${label.matched}`}
            </span>
          ))}
          {spamScore !== null && <span class="hint">spam score {Math.round(spamScore * 100)} %</span>}
          {engineVersion && <span class="hint">engine {engineVersion.slice(0, 24)}</span>}
        </p>
      )}
      {rules.map((rule) => (
        <p class="hint" key={rule.id}>
          Rule: {rule.kind} “{rule.pattern}”{rule.note ? ` (${rule.note})` : ''}
        </p>
      ))}
    </>
  );
}

function Reports({ entry: { reports, reportCount } }: { entry: QueueEntry }) {
  if (reports.length === 0) return null;
  return (
    <ul class="complaints" aria-label="Reports">
      {reports.map(({ reporter, reason }) => (
        <li key={reporter.id}>
          <strong>
            <bdi>{reporter.displayName}</bdi>
          </strong>{' '}
          <bdi>{reason}</bdi>
        </li>
      ))}
      {reportCount > reports.length && <li class="hint">and {reportCount - reports.length} more</li>}
    </ul>
  );
}

function AuthorRecord({ author }: Pick<QueueEntry, 'author'>) {
  return (
    <p class="hint">
      {author.kind === 'guest' ? 'Guest' : 'Account'} since {day.format(new Date(author.accountCreatedAt))} ·{' '}
      {author.messages} {author.messages === 1 ? 'message' : 'messages'} here ·{' '}
      {author.reported === 1 ? 'once' : `${author.reported} times`} in the queue, {author.removed} removed
      {author.blockedLastDay > 0 && ` · ${author.blockedLastDay} blocked in a day`}
      {author.mutedUntil && ' · muted'}
      {author.banned && ' · banned'}
    </p>
  );
}

/** `ban`: a value of `bans`. */
function decisionOf(choice: 'approve' | 'remove', { note, ban }: { note: string; ban: string }) {
  return {
    decision: choice,
    ...(note.trim() === '' ? {} : { note: note.trim() }),
    ...(choice === 'remove' && ban !== '' ? { ban: ban === 'forever' ? {} : { seconds: Number(ban) } } : {}),
  };
}

function DecisionForm({
  store,
  entry,
  onDecided,
}: Pick<ModerationPaneProps, 'store'> & { entry: QueueEntry; onDecided: () => void }) {
  const [note, setNote] = useState('');
  const [ban, setBan] = useState('');
  const { busy, problem, attempt } = useAttempt();
  const decide = (choice: 'approve' | 'remove') =>
    void attempt(async () => {
      await store.client.moderation.decide(entry.id, decisionOf(choice, { note, ban }));
      onDecided();
    });
  return (
    <>
      <Refusal words={problem} />
      <LengthHint text={note} lengthMax={noteLengthMax} />
      <div class="row verdict">
        <input
          aria-label="Note for the log"
          placeholder="Note for the log"
          value={note}
          onInput={(event) => setNote(event.currentTarget.value)}
        />
        {entry.state !== 'removed' && entry.room.kind === 'room' && (
          <select aria-label="Ban" value={ban} onChange={(event) => setBan(event.currentTarget.value)}>
            {bans.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        )}
        {entry.state !== 'removed' && (
          <button type="button" class="danger" disabled={busy} onClick={() => decide('remove')}>
            Remove
          </button>
        )}
        {entry.state !== 'approved' && (
          <button type="button" disabled={busy} onClick={() => decide('approve')}>
            {entry.state === 'removed' ? 'Restore' : 'Approve'}
          </button>
        )}
      </div>
    </>
  );
}

function ContextLine({ message }: { message: Message }) {
  return (
    <li>
      <strong>
        <bdi>{message.sender.displayName}</bdi>
      </strong>{' '}
      {message.deletedAt ? <em>deleted</em> : <bdi>{message.text.slice(0, 300)}</bdi>}
    </li>
  );
}

/** The text, with the parts marked that the engine labelled. */
function Marked({ text, labels }: { text: string; labels: readonly ModerationLabel[] }) {
  if (text === '') return <em>Deleted by its author.</em>;
  const pieces = [];
  let at = 0;
  for (const { start, end } of [...labels].sort((left, right) => left.start - right.start)) {
    if (start < at || end <= start || (start === 0 && end >= text.length)) continue;
    pieces.push(text.slice(at, start), <mark key={start}>{text.slice(start, end)}</mark>);
    at = end;
  }
  return (
    <span class="plain">
      {pieces}
      {text.slice(at)}
    </span>
  );
}
