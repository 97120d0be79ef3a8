/** What decisions have taught the engine, and taking it back. */
import type { DeskProps } from './moderation-dialog.tsx';
import { ListState, MoreButton, usePagedList } from './paged-list.tsx';

const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const meanings = { spam: 'is spam', ham: 'is no spam', offensive: 'is offensive', clean: 'is not offensive' } as const;

export function LessonsPane({ store }: DeskProps) {
  const { moderation } = store.client;
  const { items: lessons, problem, afterwards, more } = usePagedList(moderation.lessons, [store]);

  return (
    <section aria-label="Learned">
      <p class="hint">
        What moderators’ decisions have taught the spam filter. Taken back, it is learned anew without them.
      </p>
      <ListState problem={problem} empty={lessons?.length === 0} words="Nothing was learned yet." />
      <ul class="entries">
        {lessons?.map(({ id, label, moderator, moderatorId, createdAt }) => (
          <li key={id}>
            <span>
              A message {meanings[label]}
              <span class="hint">
                {calendar.format(new Date(createdAt))} · by {moderator?.displayName ?? moderatorId}
              </span>
            </span>
            <span class="row">
              <button type="button" onClick={() => void afterwards(() => moderation.takeBackLesson(id))}>
                Take back
              </button>
              <button
                type="button"
                class="danger"
                aria-label={`Take back all of ${moderator?.displayName ?? moderatorId}`}
                onClick={() => void afterwards(() => moderation.takeBackLessonsOf(moderatorId))}
              >
                All of theirs
              </button>
            </span>
          </li>
        ))}
      </ul>
      <MoreButton more={more} />
    </section>
  );
}
