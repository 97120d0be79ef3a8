/** Frames about presence: the status of the device, and the people that it watches. */
import { Type } from 'typebox';
import { Failure } from '../../errors.ts';
import { Uuid } from '../../http/input/schemas.ts';
import { TokenBucket } from '../../http/limits/token-bucket.ts';
import { type FrameHandlers, frameHandler } from '../../realtime/gateway/frame-handlers.ts';
import type { PresenceService } from '../../realtime/presence/presence-service.ts';
import type { Connection } from '../../realtime/socket/connection.ts';
import { toPresenceAnswer } from './presence-answers.ts';

export interface PresenceFrameSettings {
  readonly watchMax: number;
  readonly presencePerSecond: number;
  readonly presenceBurst: number;
}

export function presenceFrames(
  presence: Pick<PresenceService, 'setStatus' | 'watch'>,
  settings: PresenceFrameSettings,
): FrameHandlers {
  const requireRate = createPresenceRates(settings);
  const Status = Type.Union([Type.Literal('online'), Type.Literal('away'), Type.Literal('dnd')]);
  const UserIds = Type.Array(Uuid, { maxItems: settings.watchMax, uniqueItems: true });
  return {
    presence: frameHandler({ status: Status }, ({ connection }, { status }) => {
      requireRate(connection);
      presence.setStatus(connection, status);
      return {};
    }),
    'presence.watch': frameHandler({ userIds: UserIds }, async ({ connection }, { userIds }) => {
      requireRate(connection);
      return toPresenceAnswer(await presence.watch(connection, userIds));
    }),
  };
}

/** Every change of a status reaches all instances, and every list is read from Postgres. */
function createPresenceRates({ presencePerSecond, presenceBurst }: PresenceFrameSettings) {
  const rates = new WeakMap<Connection, TokenBucket>();
  /** @throws Failure `rate_limited` */
  return (connection: Connection): void => {
    const nowMs = performance.now();
    const rate = rates.get(connection) ?? new TokenBucket(presencePerSecond, presenceBurst, nowMs);
    rates.set(connection, rate);
    const waitMs = rate.take(nowMs);
    if (waitMs > 0) throw new Failure('rate_limited', 'presence frames come too fast', { retryAfterMs: waitMs });
  };
}
