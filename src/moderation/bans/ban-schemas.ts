/** The shapes of bans over REST. */
import { Type } from 'typebox';
import { Nullable, named, PublicUser, Time, Uuid } from '../../http/input/schemas.ts';

export const BanShape = named(
  'Ban',
  Type.Object({
    user: PublicUser,
    roomId: Nullable(Uuid),
    reason: Nullable(Type.String()),
    by: PublicUser,
    createdAt: Time,
    expiresAt: Nullable(Time),
  }),
);

/** Up to ten years. A ban without an end leaves it out. */
export const BanSeconds = Type.Integer({ minimum: 1, maximum: 315_360_000 });
