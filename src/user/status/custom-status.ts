/** The custom status of a person: an emoji, a line of text, or both, until it expires. */
import { type Static, Type } from 'typebox';
import { invalid } from '../../errors.ts';
import { readLine } from '../../http/input/line-text.ts';
import { exactly, Nullable, named, Time } from '../../http/input/schemas.ts';

export const CustomStatusShape = named(
  'CustomStatus',
  Type.Object(
    {
      emoji: Nullable(Type.String()),
      text: Nullable(Type.String()),
      expiresAt: Nullable(Type.String({ ...Time, description: 'Null: it stays until it is removed' })),
    },
    { description: 'An emoji, a line of text, or both. An expired status is never shown.' },
  ),
);

export type CustomStatus = Readonly<Static<typeof CustomStatusShape>>;

/** A status as its owner sends it. The setting `presence.statusMax` bounds the text further. */
export const StatusBody = exactly({
  emoji: Type.Optional(Nullable(Type.String({ maxLength: 64, description: 'One emoji of the RGI set' }))),
  text: Type.Optional(Nullable(Type.String({ maxLength: 4000, description: 'One line' }))),
  expiresAt: Type.Optional(Nullable(Time)),
});

/** The columns of `users` that hold a status. */
export interface StatusColumns {
  readonly statusEmoji: string | null;
  readonly statusText: string | null;
  readonly statusExpiresAt: Date | null;
}

/** Any skin tone, flags and joined emoji included. */
const oneEmoji = /^\p{RGI_Emoji}$/v;

/**
 * @param textMax code points
 * @returns the columns; all null for a status that is taken away
 * @throws Failure `invalid` naming the field
 */
export function requireStatus(status: Static<typeof StatusBody> | null, textMax: number, nowMs: number): StatusColumns {
  if (status === null) return { statusEmoji: null, statusText: null, statusExpiresAt: null };
  const { emoji = null, expiresAt = null } = status;
  if (emoji !== null && !oneEmoji.test(emoji)) throw invalid('/status/emoji', 'must be one emoji');
  const text = readLine(status.text ?? undefined, '/status/text', { max: textMax }) ?? null;
  if (emoji === null && text === null) throw invalid('/status', 'needs an emoji or a text; null removes the status');
  const statusExpiresAt = expiresAt === null ? null : new Date(expiresAt);
  if (statusExpiresAt && !(statusExpiresAt.getTime() > nowMs))
    throw invalid('/status/expiresAt', 'must be in the future');
  return { statusEmoji: emoji, statusText: text, statusExpiresAt };
}

/** The status as it is shown at `nowMs`; null if there is none, or if it has expired. */
export function shownStatus(columns: StatusColumns, nowMs: number): CustomStatus | null {
  const { statusEmoji: emoji, statusText: text, statusExpiresAt: expires } = columns;
  if (emoji === null && text === null) return null;
  if (expires !== null && expires.getTime() <= nowMs) return null;
  return { emoji, text, expiresAt: expires?.toISOString() ?? null };
}
