/** The shapes of moderation rules over REST. */
import { Type } from 'typebox';
import { exactly, Nullable, named, PublicUser, Time, Uuid } from '../../http/input/schemas.ts';
import { LabelShape } from '../scope/label-schema.ts';

export const RuleKindShape = Type.Union([
  Type.Literal('word'),
  Type.Literal('phrase'),
  Type.Literal('regex'),
  Type.Literal('link'),
]);
export const RuleActionShape = Type.Union([Type.Literal('flag'), Type.Literal('block')]);

export const RuleShape = named(
  'Rule',
  Type.Object({
    id: Uuid,
    roomId: Nullable(Uuid),
    kind: RuleKindShape,
    pattern: Type.String(),
    action: RuleActionShape,
    note: Nullable(Type.String()),
    createdBy: PublicUser,
    createdAt: Time,
  }),
);

export const NewRuleBody = exactly({
  kind: RuleKindShape,
  pattern: Type.String({ minLength: 1, maxLength: 2000 }),
  action: RuleActionShape,
  roomId: Type.Optional(Uuid),
  note: Type.Optional(Type.String({ maxLength: 10_000 })),
});

export const DryRunShape = named(
  'RuleDryRun',
  Type.Object({
    dryRun: Type.Literal(true),
    days: Type.Integer(),
    checked: Type.Integer({ description: 'How many messages the rule was tried on, newest first' }),
    complete: Type.Boolean({
      description: 'false if there were more messages than are tried, or if the time limit was reached',
    }),
    matched: Type.Integer(),
    wouldFlag: Type.Integer(),
    wouldBlock: Type.Integer(),
    authors: Type.Integer({ description: 'How many different users wrote the messages that matched' }),
    examples: Type.Array(
      Type.Object({
        messageId: Uuid,
        roomId: Uuid,
        seq: Type.Integer(),
        sender: PublicUser,
        text: Type.String(),
        createdAt: Time,
        labels: Type.Array(LabelShape),
      }),
    ),
  }),
);
