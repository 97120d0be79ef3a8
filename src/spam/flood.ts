/**
 * Floods and raids: the same again and again by one author or by many in one room, or too many messages of any kind. Pure:
 * the clock is the caller's, who shows every message once, in order. Bounded in authors, rooms and messages of each.
 */
import type { Label } from './text/label.ts';
import { fingerprintSize } from './text/minhash.ts';

export interface FloodLimits {
  /** This many near-copies by the author, in the time before. */
  readonly authorCopies: number;
  readonly authorCopiesMs: number;
  /** This many near-copies in the room, whoever sent them. */
  readonly roomCopies: number;
  readonly roomCopiesMs: number;
  /** This many messages of any text by the author. */
  readonly authorMessages: number;
  readonly authorMessagesMs: number;
  /** Texts of at most this many letters that lead nowhere are what people say to each other; a Han character counts twice. */
  readonly shortLetters?: number;
  /** Of these it takes this many times as many copies. */
  readonly shortFactor?: number;
  /** Authors and rooms that are remembered; the least recently seen are forgotten. */
  readonly authorsMax: number;
  readonly roomsMax: number;
}

export interface SeenMessage {
  readonly text: string;
  /** Milliseconds of any clock that does not step back. */
  readonly atMs: number;
  readonly authorId: string | undefined;
  readonly roomId: string | undefined;
  /** A message seen twice (asked again elsewhere) counts once. */
  readonly messageId: string | undefined;
  readonly fingerprint: string | undefined;
}

export interface FloodWindow {
  /** Takes the message in. @returns the label of a flood that it is part of */
  readonly see: (message: SeenMessage) => Label | undefined;
  /** What is remembered. */
  readonly sizes: () => { readonly authors: number; readonly rooms: number };
}

const shortLettersShipped = 24;
const shortFactorShipped = 4;
/** Messages of one author or room that are remembered. */
const authorMemory = 64;
const roomMemory = 256;
/** Equal values of two fingerprints from which their texts are near-copies: a third of the pieces in common. */
const equalMin = 11;
const words = fingerprintSize / 4;

/** Whether a flood's label speaks of copies of the text, and not of the number of messages alone. */
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
      // Six people who wish a happy birthday are no raid.
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
/** Digits and signs too: they may stand for letters. */
const letters = /[\p{L}\p{N}@$|]|!(?=\p{L})/gu;
const wide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/** Whether a text is short and leads nowhere: no address, no name, no long number. */
function isSmallTalk(text: string, lettersMax: number): boolean {
  // Whatever hides between letters may be more than they are.
  if (text.length > lettersMax * 4) return false;
  let count = 0;
  for (const [letter] of text.matchAll(letters)) count += wide.test(letter) ? 2 : 1;
  return count <= lettersMax && !address.test(text);
}

/** The memory of `key`, now the most recently used of at most `max`. */
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
  /** Whether at least `wanted` are near-copies: looked for until so many are found, the newest first. */
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
