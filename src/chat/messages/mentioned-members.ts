/** Whom a message mentions: members of the room, and nobody who blocks its author. */
import type { Verdict } from '../../processing/processing-client.ts';
import type { Profiles } from '../../user/profiles.ts';
import type { Contact } from '../rooms/contact.ts';
import type { RoomState } from '../rooms/room-state.ts';

/** @returns user ids, each once */
export type MentionLookup = (state: RoomState, verdict: Verdict, authorId: string) => Promise<string[]>;

export function createMentionLookup({ profiles, contact }: { profiles: Profiles; contact: Contact }): MentionLookup {
  return async (state, { mentions }, authorId) => {
    if (mentions.length === 0) return [];
    const ids = await profiles.idsByUsername(mentions);
    const members = [...new Set(ids.values())].filter((id) => state.members.has(id));
    return contact.withoutBlockers(authorId, members);
  };
}
