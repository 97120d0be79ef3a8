/** The names that complete what is being written. The focus stays in the text. */
import { Avatar } from '../../components/avatar.tsx';
import type { ChatStore } from '../../components/chat-store.ts';
import type { Mentions } from './use-mentions.ts';

export const optionId = (listId: string, index: number) => `${listId}-${index}`;

export function MentionList({ store, mentions, id }: { store: ChatStore; mentions: Mentions; id: string }) {
  const { suggestions, active, choose } = mentions;
  return (
    <>
      <p class="unseen" role="status">
        {suggestions.length > 0 && `${suggestions.length} names. Arrow keys choose, Enter takes one.`}
      </p>
      {suggestions.length > 0 && (
        <div class="mention-list" role="listbox" id={id} aria-label="People to mention">
          {suggestions.map(({ name, words, person }, index) => (
            // The keys are handled by the text box.
            // biome-ignore lint/a11y/useKeyWithClickEvents: see above
            <div
              key={name}
              id={optionId(id, index)}
              role="option"
              tabIndex={-1}
              aria-selected={index === active}
              class="mention-option"
              // The text keeps the focus.
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => choose(index)}
            >
              {person ? (
                <Avatar person={person} presence={store.state.presence.get(person.id)} />
              ) : (
                <span class="avatar colour-3">@</span>
              )}
              <strong>
                <bdi>{words}</bdi>
              </strong>
              <span class="hint">@{name}</span>
            </div>
          ))}
        </div>
      )}
    </>
  );
}
