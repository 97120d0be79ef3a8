/** What decisions have taught the engine, and taking it back. */
import { useConfirm } from '../components/confirm.tsx';
import { ListState, MoreButton, usePagedList } from '../components/paged-list.tsx';
import type { DeskProps } from './moderation-dialog.tsx';

const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const meanings = { spam: 'is spam', ham: 'is no spam', offensive: 'is offensive', clean: 'is not offensive' } as const;

export function LessonsPane({ store }: DeskProps) {
  const confirm = useConfirm();
  const { moderation } = store.client;
  const { items: lessons, problem, afterwards, more } = usePagedList(moderation.lessons, [store]);

  async function takeBack(id: number): Promise<void> {
    const words = 'The spam filter is trained again without this lesson. This cannot be undone.';
    if (await confirm({ title: 'Take back this lesson?', words, action: 'Take back' }))
      await afterwards(() => moderation.takeBackLesson(id));
  }

  async function takeBackAll(moderatorId: string, name: string): Promise<void> {
    const words = (
      <>
        The spam filter is trained again without anything that <bdi>{name}</bdi> has taught it. This cannot be undone.
      </>
    );
    if (
      await confirm({
        title: (
          <>
            Take back all lessons of <bdi>{name}</bdi>?
          </>
        ),
        words,
        action: 'Take back all',
      })
    )
      await afterwards(() => moderation.takeBackLessonsOf(moderatorId));
  }

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
                {calendar.format(new Date(createdAt))} · by <bdi>{moderator?.displayName ?? moderatorId}</bdi>
              </span>
            </span>
            <span class="row">
              <button type="button" onClick={() => void takeBack(id)}>
                Take back
              </button>
              <button
                type="button"
                class="danger"
                aria-label={`Take back all of ${moderator?.displayName ?? moderatorId}`}
                onClick={() => void takeBackAll(moderatorId, moderator?.displayName ?? moderatorId)}
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
