/** A poll: its options with their votes. A click votes, and another one takes the vote back. */
import type { Message, Poll } from '../../../client/parley-client.ts';
import type { ChatStore } from '../../components/chat-store.ts';

const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

interface PollCardProps {
  readonly store: ChatStore;
  readonly message: Message;
  readonly poll: Poll;
  readonly attempt: (work: () => Promise<unknown>) => void;
}

export function PollCard({ store, message, poll, attempt }: PollCardProps) {
  const own = ownVote(store, poll);
  const votes = poll.results.reduce((sum, { count }) => sum + count, 0);
  const closed = poll.closedAt !== null;

  function choose(index: number): void {
    const others = poll.multiple ? own.filter((each) => each !== index) : [];
    const options = own.includes(index) ? own.filter((each) => each !== index) : [...others, index].sort();
    attempt(async () => {
      await store.client.vote(message.roomId, message.id, options);
      store.stores.change(message.roomId, { type: 'voted', messageId: message.id, own: options });
    });
  }

  return (
    <fieldset class="poll" disabled={closed}>
      <legend dir="auto">{poll.question}</legend>
      <p class="hint">{termsOf(poll)}</p>
      {poll.options.map((option, index) => (
        <PollOption
          key={index}
          option={option}
          chosen={own.includes(index)}
          count={poll.results[index]?.count ?? 0}
          votes={votes}
          names={nameVoters(store, message.roomId, poll.results[index]?.userIds)}
          onChoose={() => choose(index)}
        />
      ))}
      <div class="row">
        <span class="hint">
          {votes} {votes === 1 ? 'vote' : 'votes'}
        </span>
        {!closed && message.sender.id === store.userId && (
          <button
            type="button"
            class="link"
            onClick={() => attempt(() => store.client.closePoll(message.roomId, message.id))}
          >
            Close poll
          </button>
        )}
      </div>
    </fieldset>
  );
}

function PollOption({
  option,
  chosen,
  count,
  votes,
  names,
  onChoose,
}: {
  option: string;
  chosen: boolean;
  count: number;
  votes: number;
  names: string;
  onChoose: () => void;
}) {
  return (
    <button type="button" class="poll-option" aria-pressed={chosen} title={names} onClick={onChoose}>
      <span class="poll-mark" aria-hidden="true">
        {chosen ? '✓' : ''}
      </span>
      <span class="poll-text" dir="auto">
        {option}
      </span>
      <span class="poll-count">
        {count}
        <span class="unseen"> {count === 1 ? 'vote' : 'votes'}</span>
      </span>
      <progress max={Math.max(1, votes)} value={count} aria-hidden="true" />
    </button>
  );
}

/** Events do not tell the user's own vote, except where the people are named. */
function ownVote(store: ChatStore, poll: Poll): readonly number[] {
  if (poll.own) return poll.own;
  return poll.results.flatMap(({ userIds }, index) => (userIds?.includes(store.userId ?? '') ? [index] : []));
}

function nameVoters(store: ChatStore, roomId: string, userIds: readonly string[] = []): string {
  const members = store.state.stores.get(roomId)?.members;
  return userIds.map((id) => members?.get(id)?.user.displayName ?? 'Somebody').join(', ');
}

function termsOf({ multiple, anonymous, closesAt, closedAt }: Poll): string {
  const terms = [multiple ? 'Choose any number' : 'Choose one', ...(anonymous ? ['anonymous'] : [])];
  if (closedAt) return 'This poll is closed.';
  if (closesAt) terms.push(`until ${calendar.format(new Date(closesAt))}`);
  return terms.join(' · ');
}
