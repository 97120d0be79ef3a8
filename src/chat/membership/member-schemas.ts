/** The shapes of memberships over REST. */
import { Type } from 'typebox';
import { exactly, Nullable, named, PublicUser, Time, Uuid } from '../../http/input/schemas.ts';

export const MemberRoleShape = Type.Union([Type.Literal('owner'), Type.Literal('moderator'), Type.Literal('member')]);
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
