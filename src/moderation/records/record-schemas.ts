/** The shapes of the audit log and of refusals over REST. */
import { Type } from 'typebox';
import { Nullable, named, PublicUser, Time, Uuid } from '../../http/input/schemas.ts';

export const AuditShape = named(
  'AuditEntry',
  Type.Object({
    id: Uuid,
    at: Time,
    action: Type.String(),
    actor: Nullable(PublicUser),
    roomId: Nullable(Uuid),
    targetId: Nullable(Uuid),
    details: Type.Record(Type.String(), Type.Unknown()),
  }),
);

export const RefusalShape = named(
  'Refusal',
  Type.Object({
    author: PublicUser,
    roomId: Uuid,
    kind: Type.Union([Type.Literal('message'), Type.Literal('edit')]),
    labels: Type.Array(Type.Object({ name: Type.String(), score: Type.Number(), id: Type.String() })),
    engineVersion: Type.String(),
    at: Time,
  }),
);
