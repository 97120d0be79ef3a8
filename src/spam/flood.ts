/**
 * Detects floods and raids: near-copies by one author or by many people in one room, or too many messages of any kind. Pure: the
 * caller passes the time and shows every message once, in order. Bounded in authors, rooms, and messages of each.
 */
import type { Label } from './text/label.ts';
import { fingerprintSize } from './text/minhash.ts';

export interface FloodLimits {
  /** A flood is this many near-copies by one author within `authorCopiesMs`. */
  readonly authorCopies: number;
  readonly authorCopiesMs: number;
  /** Or this many near-copies in one room, by any authors. */
  readonly roomCopies: number;
  readonly roomCopiesMs: number;
  /** Or this many messages by one author, of any text. */
  readonly authorMessages: number;
  readonly authorMessagesMs: number;
  /** Texts of at most this many letters without a link or contact are small talk. A Han character counts twice. */
  readonly shortLetters?: number;
  /** Small talk needs this many times as many copies. */
  readonly shortFactor?: number;
  /** Authors and rooms that are remembered. The least recently seen are forgotten. */
  readonly authorsMax: number;
  readonly roomsMax: number;
}

export interface SeenMessage {
  readonly text: string;
  /** Milliseconds of any monotonic clock. */
  readonly atMs: number;
  readonly authorId: string | undefined;
  readonly roomId: string | undefined;
  /** A message that is seen twice (a retry on another instance) counts once. */
  readonly messageId: string | undefined;
  readonly fingerprint: string | undefined;
}

export interface FloodWindow {
  /** Counts the message. @returns the label of the flood that it is part of */
  readonly see: (message: SeenMessage) => Label | undefined;
  /** Numbers of what is remembered. */
  readonly sizes: () => { readonly authors: number; readonly rooms: number };
}

const shortLettersShipped = 24;
const shortFactorShipped = 4;
/** Messages of one author or room that are remembered. */
const authorMemory = 64;
const roomMemory = 256;
/** Two fingerprints with so many equal values are of near-copies: they share a third of their pieces. */
const equalMin = 11;
const words = fingerprintSize / 4;

/** Whether a flood's label is about copies of the text, not only about the number of messages. */
export function isCopyLabel({ id }: Pick<Label, 'id'>): boolean {
  return id === 'author-copies' || id === 'room-copies';
}

export function createFloodWindow(limits: FloodLimits): FloodWindow {
  const { shortLetters = shortLettersShipped, shortFactor = shortFactorShipped } = limits;
  const authors = new Map<string, Memory>();
  const rooms = new Map<string, Memory>();

  return {
    see: ({ text, atMs, authorId, roomId, messageId, fingerprint }) => {
      const print = fingerprint === undefined ? undefined : pack(fingerprint);
      const author = authorId === undefined ? undefined : take(authors, authorId, limits.authorsMax, authorMemory);
      const room = roomId === undefined ? undefined : take(rooms, roomId, limits.roomsMax, roomMemory);
      // Six people who wish somebody a happy birthday are not a raid.
      const factor = print && isSmallTalk(text, shortLetters) ? shortFactor : 1;
      let id = '';
      if (author) {
        const again = messageId !== undefined && author.holds(messageId);
        if (print && author.hasCopies(limits.authorCopies * factor, print, atMs - limits.authorCopiesMs, atMs))
          id = 'author-copies';
        else if (author.count(atMs - limits.authorMessagesMs, atMs) - (again ? 1 : 0) >= limits.authorMessages)
          id = 'author-rate';
        if (!again) author.add(atMs, print, messageId);
      }
      if (room && print) {
        const again = messageId !== undefined && room.holds(messageId);
        if (id === '' && room.hasCopies(limits.roomCopies * factor, print, atMs - limits.roomCopiesMs, atMs))
          id = 'room-copies';
        if (!again) room.add(atMs, print, messageId);
      }
      return id === '' ? undefined : { name: 'flood', score: 1, start: 0, end: text.length, matched: '', id };
    },
    sizes: () => ({ authors: authors.size, rooms: rooms.size }),
  };
}

const address = /:\/\/|www\.|[^\s.]\.\p{L}{2,}|(?<![\p{L}\p{N}])@[\p{L}\p{N}]|\d{5,}/u;
/** Includes digits and signs, which may stand for letters. */
const letters = /[\p{L}\p{N}@$|]|!(?=\p{L})/gu;
const wide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/** Whether a text is short and has no address, name or long number in it. */
function isSmallTalk(text: string, lettersMax: number): boolean {
  // Hidden characters may outnumber the letters.
  if (text.length > lettersMax * 4) return false;
  let count = 0;
  for (const [letter] of text.matchAll(letters)) count += wide.test(letter) ? 2 : 1;
  return count <= lettersMax && !address.test(text);
}

/** The memory of `key`, which becomes the most recently used of at most `max`. */
function take(memories: Map<string, Memory>, key: string, max: number, size: number): Memory {
  const known = memories.get(key);
  if (known) memories.delete(key);
  else if (memories.size >= max) memories.delete(memories.keys().next().value!);
  const memory = known ?? createMemory(size);
  memories.set(key, memory);
  return memory;
}

interface Memory {
  readonly add: (atMs: number, print: Int32Array | undefined, messageId: string | undefined) => void;
  readonly count: (fromMs: number, toMs: number) => number;
  /** Whether at least `wanted` messages are near-copies. Looks at the newest first and stops at `wanted`. */
  readonly hasCopies: (wanted: number, print: Int32Array, fromMs: number, toMs: number) => boolean;
  readonly holds: (messageId: string) => boolean;
}

/** A ring that grows up to `size` messages. */
function createMemory(size: number): Memory {
  const entries: { atMs: number; print: Int32Array | undefined; messageId: string | undefined }[] = [];
  const ids = new Set<string>();
  let next = 0;
  return {
    add: (atMs, print, messageId) => {
      const oldest = entries[next]?.messageId;
      if (oldest !== undefined) ids.delete(oldest);
      if (messageId !== undefined) ids.add(messageId);
      entries[next] = { atMs, print, messageId };
      next = (next + 1) % size;
    },
    count: (fromMs, toMs) => {
      let found = 0;
      for (const { atMs } of entries) if (atMs >= fromMs && atMs <= toMs) found++;
      return found;
    },
    hasCopies: (wanted, print, fromMs, toMs) => {
      let found = 0;
      for (let age = 1; age <= entries.length && found < wanted; age++) {
        const entry = entries[(next - age + entries.length) % entries.length]!;
        if (entry.print && entry.atMs >= fromMs && entry.atMs <= toMs && isNear(entry.print, print)) found++;
      }
      return found >= wanted;
    },
    holds: (messageId) => ids.has(messageId),
  };
}

function pack(fingerprint: string): Int32Array {
  const print = new Int32Array(words);
  for (let at = 0; at < fingerprintSize; at++) print[at >> 2]! |= (fingerprint.charCodeAt(at) & 0xff) << ((at & 3) * 8);
  return print;
}

function isNear(left: Int32Array, right: Int32Array): boolean {
  let equal = 0;
  for (let at = 0; at < words; at++) {
    const difference = left[at]! ^ right[at]!;
    if ((difference & 0xff) === 0) equal++;
    if ((difference & 0xff00) === 0) equal++;
    if ((difference & 0xff0000) === 0) equal++;
    if ((difference & 0xff000000) === 0) equal++;
  }
  return equal >= equalMin;
}
