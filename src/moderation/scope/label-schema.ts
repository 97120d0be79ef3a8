/** Why moderation flagged or refused a text: each label names a reason and the place in the text. */
import { Type } from 'typebox';
import { named } from '../../http/input/schemas.ts';

export const LabelShape = named(
  'Label',
  Type.Object(
    {
      name: Type.String({ description: 'spam, profanity, slur, sexual, rule, flood, link, test …' }),
      score: Type.Number(),
      start: Type.Integer({ description: 'UTF-16 code units from the start of the text' }),
      end: Type.Integer(),
      matched: Type.String(),
      id: Type.String({ description: 'The term, model or rule that gave the label; a rule is `rule:<its id>`' }),
    },
    { additionalProperties: true },
  ),
);

export interface ModerationLabel {
  readonly name: string;
  readonly score: number;
  /** UTF-16 code units. */
  readonly start: number;
  readonly end: number;
  readonly matched: string;
  readonly id: string;
}
