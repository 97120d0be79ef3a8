/** Schemas of custom emoji. */
import { Type } from 'typebox';
import { exactly, named, Time, Uuid } from '../../http/input/schemas.ts';

const namePattern = '^[a-z0-9_-]{2,32}$';
export const EmojiName = Type.String({
  pattern: namePattern,
  description: 'Reactions and texts write it between colons: `:name:`',
});
export const EmojiParams = exactly({ name: EmojiName });

export const EmojiShape = named(
  'Emoji',
  Type.Object({
    id: Uuid,
    name: EmojiName,
    type: Type.String({ description: 'Media type, by the content of the picture' }),
    url: Type.String({
      description:
        'Of the picture, relative to the address of the API. It needs no login and never shows another picture',
    }),
    createdBy: Uuid,
    createdAt: Time,
  }),
);
