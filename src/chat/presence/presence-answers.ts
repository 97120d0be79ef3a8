/** The answers about presence over REST and the socket. */
import { type Static, Type } from 'typebox';
import { ByUuid, named } from '../../http/input/schemas.ts';
import type { Presence } from '../../realtime/presence/presence-views.ts';
import { CustomStatusShape } from '../../user/status/custom-status.ts';

export const PresenceAnswer = named(
  'Presence',
  Type.Object({
    presence: ByUuid(
      Type.Union([Type.Literal('online'), Type.Literal('away'), Type.Literal('dnd'), Type.Literal('offline')], {
        description: 'The best of the user’s devices: online, then dnd, then away',
      }),
    ),
    customStatuses: ByUuid(CustomStatusShape),
  }),
);

/** People without a custom status have no entry in `customStatuses`. */
export function toPresenceAnswer(found: ReadonlyMap<string, Presence>): Static<typeof PresenceAnswer> {
  const entries = [...found];
  return {
    presence: Object.fromEntries(entries.map(([userId, { status }]) => [userId, status])),
    customStatuses: Object.fromEntries(
      entries.flatMap(([userId, { customStatus }]) => (customStatus ? [[userId, customStatus]] : [])),
    ),
  };
}
