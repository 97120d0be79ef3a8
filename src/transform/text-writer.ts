/** Writes the plain parts of a text. Short codes become emoji, mentions get an element; links and mentions are collected. */
import { escapeHtml } from './escape-html.ts';
import { findMentions } from './mention-names.ts';
import type { SourceOffsets, SourceSpan } from './source-offsets.ts';

export interface RenderedLink extends SourceSpan {
  readonly url: string;
  /** The visible text. */
  readonly text: string;
}

export interface RenderedMention extends SourceSpan {
  /** The name as it was written, without the @. */
  readonly name: string;
}

export interface TextWriter {
  readonly places: SourceOffsets;
  /** Writes plain text with mentions and emoji. @param isJoined an address or code is directly before it */
  readonly write: (text: string, isJoined?: boolean) => string;
  /** The same without mentions, for the text of a link. */
  readonly writeWords: (text: string, isJoined?: boolean) => string;
  /** False if the text has as many links as allowed; further ones stay text. */
  readonly mayLink: () => boolean;
  readonly addLink: (url: string, text: string, place: SourceSpan) => void;
  readonly links: readonly RenderedLink[];
  readonly mentions: readonly RenderedMention[];
}

export interface TextWriterOptions {
  readonly places: SourceOffsets;
  /** Emoji by short code, without the colons. */
  readonly emoji: ReadonlyMap<string, string>;
  readonly linksMax: number;
  readonly mentionsMax: number;
}

/**
 * Short codes that are separate from words, also several in a row: between spaces, punctuation, emoji or letters of scripts without
 * spaces. `12:30:45`, `std::map`, `2001:db8::1` and `/users/:id:/x` contain none.
 */
const besideWords =
  '\\s([{}\\])"\'«»„“”‘’¿¡*~_<>,;!?…—–|\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\p{RI}\\ufe0f\\u200d\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Hangul}\\p{Script=Thai}\\u3001-\\u303f\\uff00-\\uff65';
const shortCodes = new RegExp(
  `:(?<=(?:^|[${besideWords}]):)[a-z0-9_+-]{1,64}:(?::[a-z0-9_+-]{1,64}:)*(?=$|[${besideWords}]|\\.(?![\\p{L}\\p{N}]))`,
  'gu',
);
const shortCode = /:([a-z0-9_+-]{1,64}):/g;
/** Characters that change the text direction until something ends it. */
const directionOverrides = /[\u202d\u202e]/g;

export function withoutOverrides(text: string): string {
  return text.replace(directionOverrides, '');
}

export function createTextWriter({ places, emoji, linksMax, mentionsMax }: TextWriterOptions): TextWriter {
  const links: RenderedLink[] = [];
  const mentions: RenderedMention[] = [];

  function writeWords(text: string, isJoined = false): string {
    const turned = withoutOverrides(text);
    if (!turned.includes(':')) return escapeHtml(turned);
    const withEmoji = (isJoined ? `.${turned}` : turned).replace(shortCodes, (row) =>
      row.replace(shortCode, (whole, name: string) => emoji.get(name) ?? whole),
    );
    return escapeHtml(isJoined ? withEmoji.slice(1) : withEmoji);
  }

  function write(text: string, isJoined = false): string {
    if (!text.includes('@')) return writeWords(text, isJoined);
    let html = '';
    let from = 0;
    for (const { index, name } of findMentions(text)) {
      if (mentions.length >= mentionsMax) break;
      html += `${writeWords(text.slice(from, index), from > 0 || isJoined)}<span class="mention" data-username="${name}">@${name}</span>`;
      from = index + 1 + name.length;
      mentions.push({ name, ...places.find(`@${name}`) });
    }
    return html + writeWords(text.slice(from), from > 0 || isJoined);
  }

  return {
    places,
    write,
    writeWords,
    links,
    mentions,
    mayLink: () => links.length < linksMax,
    addLink: (url, text, place) => links.push({ url, text, ...place }),
  };
}
