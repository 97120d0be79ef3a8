/** The lessons that moderators' decisions taught the spam filter, and taking them back. */
import { useConfirm } from '../components/confirm.tsx';
import { ListState, MoreButton, usePagedList } from '../components/paged-list.tsx';
import type { ModerationPaneProps } from './moderation-pane-props.ts';

const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const meanings = { spam: 'is spam', ham: 'is no spam', offensive: 'is offensive', clean: 'is not offensive' } as const;

export function LessonsPane({ store }: ModerationPaneProps) {
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
        The spam filter is trained again without any lesson of <bdi>{name}</bdi>. This cannot be undone.
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
        Moderators’ decisions teach the spam filter. When you take a lesson back, the filter is trained again without
        it.
      </p>
      <ListState problem={problem} empty={lessons?.length === 0} words="No lessons yet." />
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
