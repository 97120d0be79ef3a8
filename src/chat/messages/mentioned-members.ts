/**
 * Finds the members that a message mentions. Names of people outside the room are plain text, in `mentions` and in the HTML.
 * A member who blocks the author is not in `mentions`, but stays marked in the HTML: otherwise the author could tell.
 */
import { may } from '../../permissions.ts';
import type { Verdict } from '../../processing/client/processing-client.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { Contact } from '../membership/contact.ts';
import type { RoomState } from '../state/room-state.ts';

/** A mention as the renderer writes it. Text cannot imitate it, because the renderer escapes text. */
const mark = /<span class="mention" data-username="([^"<>]+)">@\1<\/span>/g;

export interface Mentioned {
  /** User ids, each once. */
  readonly mentions: string[];
  readonly mentionsAll: 'here' | 'room' | null;
  /** The verdict's HTML with only members marked, and `@here` and `@room` where the author may use them. */
  readonly html: string;
}

export interface MentionSettings {
  /** In larger rooms only moderators mention everybody. */
  readonly mentionAllMax: number;
}

export type MentionLookup = (state: RoomState, verdict: Verdict, authorId: string) => Promise<Mentioned>;

export function createMentionLookup({
  profiles,
  contact,
  settings,
}: {
  profiles: Pick<Profiles, 'idsByUsername'>;
  contact: Pick<Contact, 'withoutBlockers'>;
  settings: MentionSettings;
}): MentionLookup {
  return async (state, { mentions: names, html }, authorId) => {
    if (names.length === 0) return { mentions: [], mentionsAll: null, html };
    const mentionsAll = mayMentionAll(state, authorId, settings) ? findMentionsAll(names) : null;
    const people = await profiles.idsByUsername(names.filter((name) => !isMentionOfAll(name)));
    const members = [...people].filter(([, id]) => state.members.has(id));
    // A text may write a name in several cases; the verdict lists one of them.
    const shown = new Set(members.map(([name]) => name.toLowerCase()));
    if (mentionsAll !== null) for (const name of ['here', 'room']) shown.add(name);
    return {
      mentions: await contact.withoutBlockers(authorId, [...new Set(members.map(([, id]) => id))]),
      mentionsAll,
      html: keepMarks(html, shown),
    };
  };
}

/** Makes the mentions of other names plain text. @param shown lower-case names */
export function keepMarks(html: string, shown: ReadonlySet<string>): string {
  return html.replace(mark, (whole, name: string) => (shown.has(name.toLowerCase()) ? whole : `@${name}`));
}

/** The names that are marked as mentions, in lower case. */
export function markedNames(html: string): string[] {
  return [...new Set([...html.matchAll(mark)].map(([, name]) => name!.toLowerCase()))];
}

function mayMentionAll({ members }: RoomState, authorId: string, { mentionAllMax }: MentionSettings): boolean {
  const role = members.get(authorId)?.role;
  return role !== undefined && (members.size <= mentionAllMax || may(role, 'mention_all'));
}

/** No user has these names: they are reserved. */
function isMentionOfAll(name: string): boolean {
  return ['here', 'room'].includes(name.toLowerCase());
}

/** A text that has both mentions the whole room. */
function findMentionsAll(names: readonly string[]): 'here' | 'room' | null {
  const found = names.map((name) => name.toLowerCase());
  if (found.includes('room')) return 'room';
  return found.includes('here') ? 'here' : null;
}
