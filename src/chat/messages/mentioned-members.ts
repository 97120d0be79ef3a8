/**
 * Whom a message mentions: members of the room, and nobody who blocks its author. A name of nobody in the room is plain
 * text, in `mentions` and in the HTML alike; a member who blocks the author stays marked, or the author could tell.
 */
import type { Verdict } from '../../processing/client/processing-client.ts';
import type { Profiles } from '../../user/profile/profiles.ts';
import type { Contact } from '../membership/contact.ts';
import type { RoomState } from '../state/room-state.ts';

/** As the renderer writes a mention; no text can hold it, since the renderer escapes what people write. */
const mark = /<span class="mention" data-username="([^"<>]+)">@\1<\/span>/g;

export interface Mentioned {
  /** User ids, each once. */
  readonly mentions: string[];
  /** The verdict's HTML, in which only members are marked. */
  readonly html: string;
}

export type MentionLookup = (state: RoomState, verdict: Verdict, authorId: string) => Promise<Mentioned>;

export function createMentionLookup({ profiles, contact }: { profiles: Profiles; contact: Contact }): MentionLookup {
  return async (state, { mentions: names, html }, authorId) => {
    if (names.length === 0) return { mentions: [], html };
    const people = await profiles.idsByUsername(names);
    const members = [...people].filter(([, id]) => state.members.has(id));
    // A name may be written in several cases; the verdict lists one of them.
    const memberNames = new Set(members.map(([name]) => name.toLowerCase()));
    return {
      mentions: await contact.withoutBlockers(authorId, [...new Set(members.map(([, id]) => id))]),
      html: html.replace(mark, (whole, name: string) => (memberNames.has(name.toLowerCase()) ? whole : `@${name}`)),
    };
  };
}
