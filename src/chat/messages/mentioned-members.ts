/**
 * Finds the members that a message mentions. Names of people outside the room are plain text, in `mentions` and in the HTML.
 * A member who blocks the author is not in `mentions`, but stays marked in the HTML: otherwise the author could tell.
 */
import type { Verdict } from '../../processing/client/processing-client.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { Contact } from '../membership/contact.ts';
import type { RoomState } from '../state/room-state.ts';

/** A mention as the renderer writes it. Text cannot imitate it, because the renderer escapes text. */
const mark = /<span class="mention" data-username="([^"<>]+)">@\1<\/span>/g;

export interface Mentioned {
  /** User ids, each once. */
  readonly mentions: string[];
  /** The verdict's HTML with only members marked. */
  readonly html: string;
}

export type MentionLookup = (state: RoomState, verdict: Verdict, authorId: string) => Promise<Mentioned>;

export function createMentionLookup({ profiles, contact }: { profiles: Profiles; contact: Contact }): MentionLookup {
  return async (state, { mentions: names, html }, authorId) => {
    if (names.length === 0) return { mentions: [], html };
    const people = await profiles.idsByUsername(names);
    const members = [...people].filter(([, id]) => state.members.has(id));
    // A text may write a name in several cases; the verdict lists one of them.
    const memberNames = new Set(members.map(([name]) => name.toLowerCase()));
    return {
      mentions: await contact.withoutBlockers(authorId, [...new Set(members.map(([, id]) => id))]),
      html: html.replace(mark, (whole, name: string) => (memberNames.has(name.toLowerCase()) ? whole : `@${name}`)),
    };
  };
}
