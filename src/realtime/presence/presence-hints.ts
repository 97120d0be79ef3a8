/** Hints about presence as texts on Redis: lines of `key value`, `key f` (what others see of the person has changed), or `*`. */

export interface PresenceNews {
  /** Versioned contributions by presence key. */
  readonly contributions: readonly (readonly [key: string, value: string])[];
  /** People whose custom status, invisibility or blocks have changed. */
  readonly facts: readonly string[];
  /** Hints may have been missed: everything that the instance contributes is to be read. */
  readonly isRewritten: boolean;
}

const factsMark = 'f';
const rewritten = '*';

export const presenceTexts = {
  contributions: (changes: Iterable<readonly [string, string]>): string =>
    [...changes].map(([key, value]) => `${key} ${value}`).join('\n'),
  facts: (key: string): string => `${key} ${factsMark}`,
  rewritten: (): string => rewritten,
};

export function readPresenceText(text: string): PresenceNews {
  const pairs = text.split('\n').map((line) => line.split(' '));
  const isRewritten = pairs.some(([key]) => key === rewritten);
  const facts = pairs.flatMap(([key, value]) => (value === factsMark ? [key!] : []));
  const contributions = pairs.flatMap(([key, value]) =>
    value === undefined || value === factsMark ? [] : [[key!, value] as const],
  );
  return { contributions, facts, isRewritten };
}
