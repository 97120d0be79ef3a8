/** The reactions to a message: one button for each emoji, which adds or takes back the user's own. */
import { useEffect, useState } from 'preact/hooks';
import type { Message, Profile, Reaction } from '../../../client/parley-client.ts';
import { useAttempt } from '../../components/attempt.ts';
import { Avatar } from '../../components/avatar.tsx';
import type { ChatStore } from '../../components/chat-store.ts';
import { Dialog } from '../../components/dialog.tsx';
import { Emoji } from '../../components/emoji.tsx';
import { EmojiPicker } from '../../components/emoji-picker.tsx';
import { Icon } from '../../components/icon.tsx';
import { useLongPress } from '../../components/long-press.ts';
import { Popover, usePopover } from '../../components/popover.tsx';
import { Refusal } from '../../components/refusal.tsx';

type Attempt = (work: () => Promise<unknown>) => void;

interface ReactionListProps {
  readonly store: ChatStore;
  readonly message: Message;
  readonly attempt: Attempt;
}

export function ReactionList({ store, message, attempt }: ReactionListProps) {
  const [shown, setShown] = useState<string>();
  if (message.reactions.length === 0) return null;
  return (
    <>
      <ul class="reactions" aria-label="Reactions">
        {message.reactions.map((reaction) => (
          <li key={reaction.emoji}>
            <ReactionChip
              store={store}
              message={message}
              reaction={reaction}
              attempt={attempt}
              onPeople={() => setShown(reaction.emoji)}
            />
          </li>
        ))}
        <li>
          <ReactButton store={store} message={message} attempt={attempt} />
        </li>
      </ul>
      {shown && <ReactedDialog store={store} message={message} emoji={shown} onClose={() => setShown(undefined)} />}
    </>
  );
}

function ReactionChip({
  store,
  message,
  reaction,
  attempt,
  onPeople,
}: ReactionListProps & { reaction: Reaction; onPeople: () => void }) {
  const { emoji, count, userIds } = reaction;
  const mine = store.userId !== undefined && userIds.includes(store.userId);
  const people = nameList(store, message.roomId, reaction);
  const longPress = useLongPress(onPeople, { onButtons: true });
  return (
    <button
      type="button"
      class={`reaction ${mine ? 'mine' : ''}`}
      aria-pressed={mine}
      aria-label={`${emoji} ${count}, by ${people}`}
      title={people}
      onClick={() => attempt(() => toggleReaction(store, message, emoji))}
      {...longPress}
    >
      <Emoji store={store} emoji={emoji} /> <span>{count}</span>
    </button>
  );
}

/** Adds the user's reaction, or takes it back. */
export function toggleReaction(store: ChatStore, message: Message, emoji: string): Promise<void> {
  const { roomId, id, reactions } = message;
  const mine = reactions.find((each) => each.emoji === emoji)?.userIds.includes(store.userId ?? '');
  return mine ? store.client.unreact(roomId, id, emoji) : store.client.react(roomId, id, emoji);
}

/** “You, Ana and 3 others” */
function nameList(store: ChatStore, roomId: string, { count, userIds }: Reaction): string {
  const members = store.state.stores.get(roomId)?.members;
  const names = userIds.map((id) => (id === store.userId ? 'You' : members?.get(id)?.user.displayName));
  const known = names.filter((name) => name !== undefined).slice(0, 12);
  const others = count - known.length;
  const rest = others > 0 ? [`${others} ${others === 1 ? 'other' : 'others'}`] : [];
  return [...known, ...rest].join(', ');
}

/** Opens the picker of emoji, and reacts with the one that is chosen. */
export function ReactButton({ store, message, attempt }: ReactionListProps) {
  const { open, anchor, close, handlers } = usePopover();
  return (
    <>
      <button
        type="button"
        class="icon-button"
        ref={anchor}
        aria-label="React"
        title="React"
        aria-expanded={open}
        {...handlers}
      >
        <Icon name="react" />
      </button>
      {open && (
        <Popover anchor={anchor} label="Choose a reaction" onClose={close}>
          <EmojiPicker
            memory={store.emojiMemory}
            custom={store.state.customEmojis}
            toUrl={store.client.fileUrl}
            onPick={(emoji) => {
              close();
              attempt(() => store.client.react(message.roomId, message.id, emoji));
            }}
          />
        </Popover>
      )}
    </>
  );
}

/** The emoji used last, for one tap. */
export function QuickReactions({ store, message, attempt }: ReactionListProps) {
  return (
    <div class="quick-reactions">
      {store.emojiMemory
        .recent()
        .slice(0, 6)
        .map((emoji) => (
          <button
            type="button"
            key={emoji}
            aria-label={`React with ${emoji}`}
            onClick={() => attempt(() => toggleReaction(store, message, emoji))}
          >
            <Emoji store={store} emoji={emoji} />
          </button>
        ))}
    </div>
  );
}

function ReactedDialog({
  store,
  message,
  emoji,
  onClose,
}: {
  store: ChatStore;
  message: Message;
  emoji: string;
  onClose: () => void;
}) {
  const [people, setPeople] = useState<readonly Profile[]>();
  const { attempt, problem } = useAttempt();
  useEffect(
    () => void attempt(async () => setPeople(await store.client.reactedBy(message.roomId, message.id, emoji))),
    [],
  );
  return (
    <Dialog title={<Emoji store={store} emoji={emoji} />} look="sheet" onClose={onClose}>
      <Refusal words={problem} />
      <ul class="found">
        {(people ?? []).map((person) => (
          <li key={person.id}>
            <Avatar person={person} />
            <span class="person">
              <bdi>{person.displayName}</bdi>
            </span>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
