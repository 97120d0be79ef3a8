/** The shapes of the moderation queue over REST. */
import { Type } from 'typebox';
import { MessageShape } from '../../chat/state/message-shape.ts';
import { Nullable, named, PublicUser, Time, Uuid } from '../../http/input/schemas.ts';
import { RuleActionShape, RuleKindShape } from '../rules/rule-schemas.ts';
import { LabelShape } from '../scope/label-schema.ts';

export const QueueEntryShape = named(
  'QueueEntry',
  Type.Object({
    id: Uuid,
    state: Type.Union([Type.Literal('open'), Type.Literal('approved'), Type.Literal('removed')]),
    source: Type.Union([Type.Literal('report'), Type.Literal('engine')]),
    createdAt: Time,
    room: Type.Object({ id: Uuid, name: Type.String(), kind: Type.Union([Type.Literal('room'), Type.Literal('dm')]) }),
    message: MessageShape,
    context: Type.Object(
      { before: Type.Array(MessageShape), after: Type.Array(MessageShape) },
      { description: 'The messages before and after it, in seq order; empty in direct messages' },
    ),
    reportCount: Type.Integer(),
    reports: Type.Array(Type.Object({ reporter: PublicUser, reason: Type.String(), createdAt: Time })),
    labels: Type.Array(LabelShape),
    rules: Type.Array(
      Type.Object({
        id: Uuid,
        kind: RuleKindShape,
        pattern: Type.String(),
        action: RuleActionShape,
        note: Nullable(Type.String()),
      }),
      { description: 'The rules that the labels refer to' },
    ),
    spamScore: Nullable(Type.Number()),
    engineVersion: Nullable(Type.String()),
    author: Type.Object({
      user: PublicUser,
      kind: Type.Union([Type.Literal('user'), Type.Literal('guest')]),
      accountCreatedAt: Time,
      memberRole: Nullable(Type.String()),
      joinedAt: Nullable(Time),
      mutedUntil: Nullable(Time),
      banned: Type.Boolean(),
      messages: Type.Integer({ description: 'Messages in this room, counted up to 1,000' }),
      reported: Type.Integer({ description: 'Queue entries about this author in the last 30 days, this one included' }),
      removed: Type.Integer({ description: 'How many of these were removed' }),
      blockedLastDay: Type.Integer({ description: 'How many of their texts were refused in the last 24 hours' }),
    }),
    decision: Nullable(Type.Object({ by: PublicUser, at: Time, note: Nullable(Type.String()) })),
  }),
);
