/** Chooses an emoji: by group, by words, or among those used last. The list is loaded when it is opened for the first time. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CustomEmoji } from '../../client/parley-client.ts';
import type { EmojiMemory } from './emoji-memory.ts';

type Groups = typeof import('virtual:emoji-list').default;

const groupNames = ['Smileys', 'People', 'Parts', 'Animals and nature', 'Food', 'Travel', 'Activities', 'Objects'];
const laterGroupNames = ['Symbols', 'Flags'];
const tones = ['✋', '✋🏻', '✋🏼', '✋🏽', '✋🏾', '✋🏿'];
export function EmojiPicker({
  memory,
  custom = [],
  toUrl,
  onPick,
}: {
  memory: EmojiMemory;
  custom?: readonly CustomEmoji[];
  /** Where a custom emoji's picture is. */
  toUrl: (path: string) => string;
  onPick: (emoji: string) => void;
}) {
  const [groups, setGroups] = useState<Groups>();
  const [query, setQuery] = useState('');
  const [tone, setTone] = useState(memory.tone);
  const recent = useMemo(memory.recent, []);
  const scroller = useRef<HTMLDivElement>(null);
  useEffect(() => void import('virtual:emoji-list').then((list) => setGroups(list.default)), []);

  function pick(emoji: string): void {
    memory.use(emoji);
    onPick(emoji);
  }
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length > 0 ? findEmoji(groups ?? [], words) : undefined;

  return (
    <div class="emoji-picker">
      <div class="emoji-search">
        <input
          type="search"
          aria-label="Search emoji"
          placeholder="Search"
          data-first-focus
          value={query}
          onInput={(event) => setQuery(event.currentTarget.value)}
        />
        <select
          aria-label="Skin tone"
          value={String(tone)}
          onChange={(event) => {
            setTone(Number(event.currentTarget.value));
            memory.setTone(Number(event.currentTarget.value));
          }}
        >
          {tones.map((hand, index) => (
            <option key={hand} value={String(index)}>
              {hand}
            </option>
          ))}
        </select>
      </div>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: arrow keys move between the buttons in it */}
      <div class="emoji-groups" ref={scroller} onKeyDown={moveInGrid}>
        {found ? (
          <EmojiGroup title={found.length > 0 ? 'Found' : 'Nothing found'} emojis={found} tone={tone} onPick={pick} />
        ) : (
          <>
            <EmojiGroup
              title="Used last"
              emojis={recent.map((each) => [each, '', each])}
              tone={0}
              onPick={pick}
              custom={custom}
              toUrl={toUrl}
            />
            {custom.length > 0 && (
              <EmojiGroup
                title="Custom"
                emojis={custom.map(({ name }) => [name, '', `:${name}:`])}
                tone={0}
                onPick={pick}
                custom={custom}
                toUrl={toUrl}
              />
            )}
            {(groups ?? []).map((emojis, index) => (
              <EmojiGroup
                key={nameOf(groups!, index)}
                title={nameOf(groups!, index)}
                emojis={emojis}
                tone={tone}
                onPick={pick}
              />
            ))}
          </>
        )}
        {!groups && <p class="hint">Loading …</p>}
      </div>
    </div>
  );
}

/** Some versions of the list have no group of parts such as hair. */
function nameOf(groups: Groups, index: number): string {
  const names = [...groupNames.filter((name) => name !== 'Parts' || groups.length > 9), ...laterGroupNames];
  return names[index] ?? 'Others';
}

function findEmoji(groups: Groups, words: readonly string[]): Groups[number] {
  const fits = (text: string) => words.every((word) => text.startsWith(word) || text.includes(` ${word}`));
  return groups
    .flat()
    .filter(([name, others]) => fits(`${name} ${others}`.toLowerCase()))
    .slice(0, 120);
}

function EmojiGroup({
  title,
  emojis,
  tone,
  onPick,
  custom = [],
  toUrl = (path) => path,
}: {
  title: string;
  emojis: Groups[number];
  tone: number;
  onPick: (emoji: string) => void;
  custom?: readonly CustomEmoji[];
  toUrl?: (path: string) => string;
}) {
  return (
    <section class="emoji-group" aria-label={title}>
      <p class="emoji-title" aria-hidden="true">
        {title}
      </p>
      <div class="emoji-grid">
        {emojis.map(([name, , ...forms]) => {
          const emoji = forms[tone] ?? forms[0]!;
          const picture = custom.find((each) => `:${each.name}:` === emoji);
          return (
            <button type="button" key={emoji} title={name} aria-label={name} onClick={() => onPick(emoji)}>
              {picture ? <img class="custom-emoji" src={toUrl(picture.url)} alt="" /> : emoji}
            </button>
          );
        })}
      </div>
    </section>
  );
}

function moveInGrid(event: KeyboardEvent): void {
  const now = document.activeElement;
  if (!(now instanceof HTMLButtonElement) || !event.key.startsWith('Arrow')) return;
  const buttons = [...(event.currentTarget as HTMLElement).querySelectorAll('button')];
  const index = buttons.indexOf(now);
  const row = buttons.filter((each) => each.offsetTop === now.offsetTop && each.parentElement === now.parentElement);
  const columns = Math.max(1, row.length);
  const back = getComputedStyle(now).direction === 'rtl' ? 1 : -1;
  const steps: Readonly<Record<string, number>> = {
    ArrowRight: -back,
    ArrowLeft: back,
    ArrowDown: columns,
    ArrowUp: -columns,
  };
  event.preventDefault();
  buttons[Math.min(buttons.length - 1, Math.max(0, index + (steps[event.key] ?? 0)))]?.focus();
}
