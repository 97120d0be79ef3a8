/** Scheduled messages as the API shows them, over REST and in `scheduled.updated` frames. */
import { type Static, Type } from 'typebox';
import { exactly, Nullable, named, Time, Uuid } from '../../http/input/schemas.ts';
import { DraftFields } from '../state/message-draft.ts';
import type { Scheduled } from './scheduled-repository.ts';

export const ScheduledStateShape = Type.Union(
  [Type.Literal('waiting'), Type.Literal('sending'), Type.Literal('sent'), Type.Literal('refused')],
  { description: '`sending`: a worker has it, and it can no longer be changed' },
);

const { clientId: _clientId, ...contentFields } = DraftFields;

export const ScheduledShape = named(
  'ScheduledMessage',
  Type.Object(
    {
      id: Uuid,
      roomId: Uuid,
      clientId: Type.String(),
      sendAt: Time,
      state: ScheduledStateShape,
      failure: Nullable(
        Type.Object({ code: Type.String(), message: Type.String() }, { description: 'Why it was refused' }),
      ),
      messageId: Nullable(Uuid),
      createdAt: Time,
      ...contentFields,
    },
    { description: 'A message that is sent later, with the fields of its send' },
  ),
);

export const ScheduleBody = exactly({
  ...DraftFields,
  sendAt: Type.String({ ...Time, description: 'A point in time with its offset from UTC' }),
});

export const ScheduleChangeBody = exactly({
  text: Type.Optional(DraftFields.text),
  attachmentIds: DraftFields.attachmentIds,
  sendAt: Type.Optional(Time),
});

export function toScheduledShape({
  id,
  roomId,
  clientId,
  sendAt,
  state,
  failure,
  messageId,
  createdAt,
  draft,
}: Scheduled): Static<typeof ScheduledShape> {
  return {
    ...draft,
    ...{ id, roomId, clientId, state, failure, messageId },
    sendAt: sendAt.toISOString(),
    createdAt: createdAt.toISOString(),
  };
}
