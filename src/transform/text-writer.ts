/** Writes the words of a text, between its markup: short codes become emoji, mentions get an element; what is found is listed. */
import { escapeHtml } from './escape-html.ts';
import { findMentions } from './mention-names.ts';
import type { Place, Places } from './places.ts';

export interface RenderedLink extends Place {
  readonly url: string;
  /** What the reader sees. */
  readonly text: string;
}

export interface RenderedMention extends Place {
  /** Without the @, as it was written. */
  readonly name: string;
}

export interface TextWriter {
  readonly places: Places;
  /** Plain words, with mentions and emoji. */
  readonly write: (text: string) => string;
  /** The same without mentions: within a link. */
  readonly writeWords: (text: string) => string;
  /** False when the text has as many links as it may; further ones stay text. */
  readonly mayLink: () => boolean;
  readonly addLink: (url: string, text: string, place: Place) => void;
  readonly links: readonly RenderedLink[];
  readonly mentions: readonly RenderedMention[];
}

export interface TextWriterOptions {
  readonly places: Places;
  /** Emoji by short code, without the colons. */
  readonly emoji: ReadonlyMap<string, string>;
  readonly linksMax: number;
  readonly mentionsMax: number;
}

const shortCode = /:([a-z0-9_+-]{1,64}):/g;
/** Marks that turn the direction of what follows without an end of their own. */
const directionOverrides = /[\u202d\u202e]/g;

export function withoutOverrides(text: string): string {
  return text.replace(directionOverrides, '');
}

export function createTextWriter({ places, emoji, linksMax, mentionsMax }: TextWriterOptions): TextWriter {
  const links: RenderedLink[] = [];
  const mentions: RenderedMention[] = [];

  function writeWords(text: string): string {
    const turned = withoutOverrides(text);
    if (!turned.includes(':')) return escapeHtml(turned);
    return escapeHtml(turned.replace(shortCode, (whole, name: string) => emoji.get(name) ?? whole));
  }

  function write(text: string): string {
    if (!text.includes('@')) return writeWords(text);
    let html = '';
    let from = 0;
    for (const { index, name } of findMentions(text)) {
      if (mentions.length >= mentionsMax) break;
      html += `${writeWords(text.slice(from, index))}<span class="mention" data-username="${name}">@${name}</span>`;
      from = index + 1 + name.length;
      mentions.push({ name, ...places.find(`@${name}`) });
    }
    return html + writeWords(text.slice(from));
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
