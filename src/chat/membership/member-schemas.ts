/** The shapes of memberships over REST. */
import { Type } from 'typebox';
import { exactly, Nullable, named, PublicUser, Time, Uuid } from '../../http/input/schemas.ts';
import { MemberRoleShape } from '../state/event-schemas.ts';

export const MemberShape = named(
  'Member',
  Type.Object({
    user: PublicUser,
    role: MemberRoleShape,
    joinedAt: Time,
    mutedUntil: Nullable(Time),
  }),
);
export const MemberParams = exactly({
  roomId: Uuid,
  userId: Type.Union([Uuid, Type.Literal('me')], { description: '`me` is the caller' }),
});
