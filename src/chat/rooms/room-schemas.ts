/** The shape of a room, as every route that answers with one says it. */
import { Type } from 'typebox';
import { Seq, Time, Uuid } from '../../http/input/schemas.ts';

export const RoomShape = Type.Object({
  id: Uuid,
  kind: Type.Union([Type.Literal('room'), Type.Literal('dm')]),
  name: Type.String(),
  topic: Type.String(),
  visibility: Type.Union([Type.Literal('public'), Type.Literal('private')]),
  history: Type.Union([Type.Literal('all'), Type.Literal('joined')], {
    description: 'What a new member sees of before: all, or nothing; of a public room whoever has not joined the same',
  }),
  slowModeSeconds: Type.Integer(),
  seq: Seq,
  memberCount: Type.Integer(),
  createdAt: Time,
});
