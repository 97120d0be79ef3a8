/** A list that is read page by page. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { explainRefusal } from './chat-store.ts';

interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

export interface PagedList<Item> {
  /** undefined: not read yet. */
  readonly items: readonly Item[] | undefined;
  readonly problem: string;
  /** Does the work, and then reads the list again from its beginning. */
  readonly afterwards: (work: () => Promise<unknown>) => Promise<void>;
  /** undefined: there is no more. */
  readonly more: (() => void) | undefined;
}

/** @param of the values that the list depends on: when one changes, the list is read from its beginning */
export function usePagedList<Item>(
  read: (page: { cursor?: string }) => Promise<Page<Item>>,
  of: readonly unknown[],
): PagedList<Item> {
  const [items, setItems] = useState<readonly Item[]>();
  const [next, setNext] = useState<string | null>(null);
  const [problem, setProblem] = useState('');

  async function load(cursor?: string): Promise<void> {
    const page = await read(cursor === undefined ? {} : { cursor });
    setItems((before) => (cursor === undefined ? page.items : [...(before ?? []), ...page.items]));
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
  useEffect(() => void attempt(() => load()), of);

  return {
    items,
    problem,
    afterwards: (work) =>
      attempt(async () => {
        await work();
        await load();
      }),
    more: next === null ? undefined : () => void attempt(() => load(next)),
  };
}

export function ListState({
  problem,
  empty,
  words,
}: {
  problem: string;
  empty: boolean;
  words: string;
}): ComponentChildren {
  if (problem)
    return (
      <p class="problem" role="alert">
        {problem}
      </p>
    );
  return empty ? <p class="hint">{words}</p> : null;
}

export function MoreButton({ more }: Pick<PagedList<unknown>, 'more'>): ComponentChildren {
  return (
    more && (
      <button type="button" onClick={more}>
        More
      </button>
    )
  );
}
