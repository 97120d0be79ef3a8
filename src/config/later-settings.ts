/** Settings of what users keep for later: drafts, bookmarks and scheduled messages. */
import { duration, integer } from './setting.ts';

export const laterSettings = {
  drafts: {
    perUser: integer(200, 'Drafts of one user, over all rooms and threads', { min: 1, max: 10_000 }),
  },
  bookmarks: {
    perUser: integer(2000, 'Bookmarks of one user', { min: 1 }),
    noteMax: integer(500, 'Longest note of a bookmark, in code points', { min: 1, max: 100_000 }),
    ahead: duration('730d', 'Longest time until a reminder', { minMs: 1000 }),
    poll: duration('10s', 'Interval at which reminders are looked for whose job was lost', { minMs: 50 }),
  },
  scheduled: {
    perUser: integer(100, 'Scheduled messages of one user that are not sent yet', { min: 1, max: 1000 }),
    ahead: duration('365d', 'Longest time until a scheduled message is sent', { minMs: 1000 }),
    poll: duration('5s', 'Interval at which due messages are looked for whose job was lost, or that have to wait', {
      minMs: 50,
    }),
    claim: duration('30s', 'After this time another instance repeats the send of one that died', { minMs: 500 }),
    retryFor: duration(
      '1h',
      'A message that cannot be sent for now (slow mode, outages) is tried again for this long; then it is refused',
    ),
    keep: duration('30d', 'Time that sent and refused scheduled messages stay in the list', { minMs: 60_000 }),
  },
} as const;
