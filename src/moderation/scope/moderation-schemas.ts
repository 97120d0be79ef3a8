/** The shapes of the moderators' routes, and where their lists go on. */
import { Type } from 'typebox';
import { MessageShape } from '../../chat/state/message-shape.ts';
import { invalid } from '../../errors.ts';
import { readCursor } from '../../http/input/cursors.ts';
import { Cursor, exactly, Limit, Nullable, PublicUser, Time, Uuid } from '../../http/input/schemas.ts';
import { readTime } from '../../http/input/times.ts';

/** A row's place in a list that is ordered by time, then id. */
export interface Place {
  /** RFC 3339. */
  readonly at: string;
  readonly id: string;
}

export function readPlace(cursor: string | undefined): Place | undefined {
  if (cursor === undefined) return undefined;
  const [at, id] = readCursor(cursor, ['string', 'uuid']);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(at)) throw invalid('/cursor', 'not a cursor of this list');
  return { at: readTime(at, '/cursor').toISOString(), id };
}

/** In a room, or in all of them for the deployment's staff. */
export const ScopeQuery = { roomId: Type.Optional(Uuid), limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) };

const LabelShape = Type.Object(
  {
    name: Type.String({ description: 'spam, profanity, slur, sexual, rule, flood, link, test …' }),
    score: Type.Number(),
    start: Type.Integer({ description: 'UTF-16 units of the text' }),
    end: Type.Integer(),
    matched: Type.String(),
    id: Type.String({ description: 'The term, model or rule that says so; a rule is `rule:<its id>`' }),
  },
  { additionalProperties: true },
);

const RuleKindShape = Type.Union([
  Type.Literal('word'),
  Type.Literal('phrase'),
  Type.Literal('regex'),
  Type.Literal('link'),
]);
const RuleAction = Type.Union([Type.Literal('flag'), Type.Literal('block')]);

export const RuleShape = Type.Object({
  id: Uuid,
  roomId: Nullable(Uuid),
  kind: RuleKindShape,
  pattern: Type.String(),
  action: RuleAction,
  note: Nullable(Type.String()),
  createdBy: PublicUser,
  createdAt: Time,
});

export const NewRuleBody = exactly({
  kind: RuleKindShape,
  pattern: Type.String({ minLength: 1, maxLength: 2000 }),
  action: RuleAction,
  roomId: Type.Optional(Uuid),
  note: Type.Optional(Type.String({ maxLength: 10_000 })),
});

export const RehearsalShape = Type.Object({
  dryRun: Type.Literal(true),
  days: Type.Integer(),
  checked: Type.Integer({ description: 'Messages that the rule was tried on, newest first' }),
  complete: Type.Boolean({ description: 'false: there were more messages than are tried, or the time was up' }),
  matched: Type.Integer(),
  wouldFlag: Type.Integer(),
  wouldBlock: Type.Integer(),
  authors: Type.Integer({ description: 'Different people whose messages matched' }),
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
});

export const BanShape = Type.Object({
  user: PublicUser,
  roomId: Nullable(Uuid),
  reason: Nullable(Type.String()),
  by: PublicUser,
  createdAt: Time,
  expiresAt: Nullable(Time),
});

/** Ten years: longer is for good, which is said by leaving it out. */
export const BanSeconds = Type.Integer({ minimum: 1, maximum: 315_360_000 });

export const QueueEntryShape = Type.Object({
  id: Uuid,
  state: Type.Union([Type.Literal('open'), Type.Literal('approved'), Type.Literal('removed')]),
  source: Type.Union([Type.Literal('report'), Type.Literal('engine')]),
  createdAt: Time,
  room: Type.Object({ id: Uuid, name: Type.String(), kind: Type.Union([Type.Literal('room'), Type.Literal('dm')]) }),
  message: MessageShape,
  context: Type.Object(
    { before: Type.Array(MessageShape), after: Type.Array(MessageShape) },
    { description: 'What was said around it, in seq order; empty in direct messages' },
  ),
  reportCount: Type.Integer(),
  reports: Type.Array(Type.Object({ reporter: PublicUser, reason: Type.String(), createdAt: Time })),
  labels: Type.Array(LabelShape),
  rules: Type.Array(
    Type.Object({
      id: Uuid,
      kind: RuleKindShape,
      pattern: Type.String(),
      action: RuleAction,
      note: Nullable(Type.String()),
    }),
    { description: 'The rules that the labels name' },
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
    messages: Type.Integer({ description: 'In this room, counted up to 1,000' }),
    reported: Type.Integer({ description: 'Entries about them in the last 30 days, this one among them' }),
    removed: Type.Integer({ description: 'Of these, taken away' }),
    blockedLastDay: Type.Integer({ description: 'Texts of theirs that were refused in the last 24 hours' }),
  }),
  decision: Nullable(Type.Object({ by: PublicUser, at: Time, note: Nullable(Type.String()) })),
});

export const AuditShape = Type.Object({
  id: Uuid,
  at: Time,
  action: Type.String(),
  actor: Nullable(PublicUser),
  roomId: Nullable(Uuid),
  targetId: Nullable(Uuid),
  details: Type.Record(Type.String(), Type.Unknown()),
});

export const RefusalShape = Type.Object({
  author: PublicUser,
  roomId: Uuid,
  kind: Type.Union([Type.Literal('message'), Type.Literal('edit')]),
  labels: Type.Array(Type.Object({ name: Type.String(), score: Type.Number(), id: Type.String() })),
  engineVersion: Type.String(),
  at: Time,
});
