/** Completes names after an `@` in the text that is being written. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ClientError, type OwnRoom, type Profile } from '../../../client/parley-client.ts';
import type { ChatStore } from '../../components/chat-store.ts';

export interface Suggestion {
  /** What is written for it, without the `@`. */
  readonly name: string;
  readonly words: string;
  /** Undefined: everybody. */
  readonly person: Profile | undefined;
}

const everybody: readonly Suggestion[] = [
  { name: 'here', words: 'Everybody who is online', person: undefined },
  { name: 'room', words: 'Everybody in the room', person: undefined },
];

/** Keys are asked for after this pause only. */
const pauseMs = 80;
const shownMax = 8;

export interface Mentions {
  readonly suggestions: readonly Suggestion[];
  /** Index of the one that Enter takes. */
  readonly active: number;
  readonly choose: (index: number) => void;
  /** To be called after each change of the text or the caret. */
  readonly look: () => void;
  readonly close: () => void;
  /** @returns whether the list has handled the key */
  readonly press: (event: KeyboardEvent) => boolean;
}

/** The beginning of a name before the caret. */
function nameAt(input: HTMLTextAreaElement): string | undefined {
  if (input.selectionStart !== input.selectionEnd) return undefined;
  return /(?:^|[\s(])@([\p{L}\p{N}_.-]{0,32})$/u.exec(input.value.slice(0, input.selectionStart))?.[1];
}

export function useMentions(
  { store, room, input }: { store: ChatStore; room: OwnRoom; input: { readonly current: HTMLTextAreaElement | null } },
  onChange: (text: string) => void,
): Mentions {
  const [query, setQuery] = useState<string>();
  const [suggestions, setSuggestions] = useState<readonly Suggestion[]>([]);
  const [active, setActive] = useState(0);
  /** Closed by Escape until the text changes. */
  const closedAt = useRef<string>(undefined);

  useEffect(() => {
    if (query === undefined) {
      setSuggestions([]);
      return;
    }
    let outdated = false;
    const timer = setTimeout(() => {
      void suggest(store, room, query).then((found) => {
        if (outdated) return;
        setSuggestions(found);
        setActive(0);
      });
    }, pauseMs);
    return () => {
      outdated = true;
      clearTimeout(timer);
    };
  }, [query, store, room.id]);

  function look(): void {
    const { current } = input;
    const name = current ? nameAt(current) : undefined;
    if (name === undefined) closedAt.current = undefined;
    setQuery(name === closedAt.current ? undefined : name);
  }

  function choose(index: number): void {
    const { current } = input;
    const chosen = suggestions[index];
    const name = current && nameAt(current);
    if (!current || !chosen || name === undefined || name === null) return;
    const start = current.selectionStart - name.length;
    const before = `${current.value.slice(0, start)}${chosen.name} `;
    onChange(before + current.value.slice(current.selectionStart));
    setQuery(undefined);
    // After the page has drawn the new text.
    requestAnimationFrame(() => {
      current.focus();
      current.setSelectionRange(before.length, before.length);
    });
  }

  function press(event: KeyboardEvent): boolean {
    if (suggestions.length === 0) return false;
    const { key } = event;
    if (key === 'ArrowDown') setActive((active + 1) % suggestions.length);
    else if (key === 'ArrowUp') setActive((active + suggestions.length - 1) % suggestions.length);
    else if ((key === 'Enter' && !event.shiftKey) || key === 'Tab') choose(active);
    else if (key === 'Escape') {
      closedAt.current = query;
      setQuery(undefined);
    } else return false;
    event.preventDefault();
    return true;
  }

  return { suggestions, active, choose, look, close: () => setQuery(undefined), press };
}

async function suggest(store: ChatStore, room: OwnRoom, query: string): Promise<readonly Suggestion[]> {
  const all = room.kind === 'dm' ? [] : everybody.filter(({ name }) => name.startsWith(query.toLowerCase()));
  try {
    const members = await store.client.findMembers(room.id, query);
    const people = members
      .filter(({ user }) => user.id !== store.userId)
      .map(({ user }) => ({ name: user.username, words: user.displayName, person: user }));
    return [...people, ...all].slice(0, shownMax);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return all;
  }
}
