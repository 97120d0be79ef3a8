/** What decisions have taught the engine, and taking it back. */
import { useEffect, useState } from 'preact/hooks';
import type { Lesson } from '../client/parley-client.ts';
import { explainRefusal } from './chat-store.ts';
import type { DeskProps } from './moderation-dialog.tsx';
import { ListState } from './moderation-lists.tsx';

const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const meanings = { spam: 'is spam', ham: 'is no spam', offensive: 'is offensive', clean: 'is not offensive' } as const;

export function LessonsPane({ store }: DeskProps) {
  const [lessons, setLessons] = useState<readonly Lesson[]>();
  const [next, setNext] = useState<string | null>(null);
  const [problem, setProblem] = useState('');
  const { moderation } = store.client;

  async function load(cursor?: string): Promise<void> {
    const page = await moderation.lessons(cursor ? { cursor } : {});
    setLessons((before) => (cursor ? [...(before ?? []), ...page.items] : page.items));
    setNext(page.nextCursor);
  }

  async function attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      setProblem('');
    } catch (error) {
      setProblem(explainRefusal(error));
    }
  }
  useEffect(() => void attempt(load), [store]);

  const thenLoad = (work: () => Promise<unknown>) =>
    void attempt(async () => {
      await work();
      await load();
    });

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
              <button type="button" onClick={() => thenLoad(() => moderation.takeBackLesson(id))}>
                Take back
              </button>
              <button
                type="button"
                class="danger"
                aria-label={`Take back all of ${moderator?.displayName ?? moderatorId}`}
                onClick={() => thenLoad(() => moderation.takeBackLessonsOf(moderatorId))}
              >
                All of theirs
              </button>
            </span>
          </li>
        ))}
      </ul>
      {next && (
        <button type="button" onClick={() => void attempt(() => load(next))}>
          More
        </button>
      )}
    </section>
  );
}
