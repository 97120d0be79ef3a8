/** Where a forwarded message came from, as the message shows it. */
import type { Profiles } from '../../user/profile/profiles.ts';
import type { ExtrasSource } from '../messages/extras-loader.ts';
import { splitForwarded } from '../state/forwarded-text.ts';
import type { Forwarded, MessageExtras } from '../state/message-extras.ts';
import { unknownProfile } from '../state/message-shape.ts';
import { deleteForwardRecords, readForwardRecords } from './forward-repository.ts';

export function createForwardSource(profiles: Pick<Profiles, 'byIds'>): ExtrasSource {
  return {
    mark: 'forwarded',
    load: async (db, messageIds) => {
      const records = await readForwardRecords(db, messageIds);
      const people = await profiles.byIds([...new Set(records.map(({ forwarded }) => forwarded.senderId))]);
      return new Map(
        records.map(({ id, forwarded: { senderId, createdAt, comment: length }, text, html }) => {
          const { comment } = splitForwarded({ text: text ?? '', html: html ?? '' }, length);
          const sender = people.get(senderId) ?? unknownProfile(senderId);
          const forwarded: Forwarded = { sender, createdAt, ...(comment ? { comment } : {}) };
          return [id, { forwarded } satisfies Partial<MessageExtras>];
        }),
      );
    },
    atCreation: (found) => found,
    purge: deleteForwardRecords,
  };
}
