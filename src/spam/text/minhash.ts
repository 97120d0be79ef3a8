/**
 * MinHash fingerprints, by which near-copies are recognised: texts that differ only in case, spacing, numbers, emoji, look-alikes
 * and a few words. Hashed are pieces of four letters of the folded text. A fingerprint is a string of `fingerprintSize`
 * units below 256, which is cheap to send between threads and instances.
 */
import { mix } from './hashing.ts';
import { isLetterUnit } from './letter-units.ts';
import type { Normalised } from './normalise.ts';

/** Values of one fingerprint. The share of equal values estimates the share of common pieces. */
export const fingerprintSize = 32;
/** Pieces that are hashed: three quarters from the beginning, one from the end. */
const piecesMax = 256;
const pieceLength = 4;
/** Shorter texts (`lol`, `thanks`) are often the same without being copies. */
export const lettersMin = 12;

const seeds = Uint32Array.from({ length: fingerprintSize / 2 }, (_, at) => mix(at + 1, 0x5bd1e995) | 1);

/** What a character is read as, so that copies in different disguises agree; 0 is left out. */
const readings = new Uint16Array(128);
for (let code = 97; code <= 122; code++) readings[code] = code;
for (const [sign, letter] of Object.entries({
  l: 'i',
  j: 'i',
  '1': 'i',
  '!': 'i',
  '|': 'i',
  '0': 'o',
  '3': 'e',
  '4': 'a',
  '@': 'a',
  '5': 's',
  $: 's',
  '7': 't',
  '8': 'b',
  '9': 'g',
  z: 's',
  v: 'u',
}))
  readings[sign.charCodeAt(0)] = letter.charCodeAt(0);

const units = new Uint16Array(4096);
const hashes = new Int32Array(piecesMax + 2);

/** @returns undefined for texts that are too short to be copies */
export function fingerprintOf({ folded }: Normalised): string | undefined {
  const count = readUnits(folded);
  if (count < lettersMin) return undefined;
  const pieces = count - pieceLength + 1;
  let looked = 0;
  for (let at = 0; at < pieces; at++) {
    if (at >= piecesMax * 0.75 && at < pieces - piecesMax * 0.25) continue;
    const hash = mix(units[at]! | (units[at + 1]! << 16), units[at + 2]! | (units[at + 3]! << 16));
    hashes[looked++] = hash ^ (hash >>> 15);
  }
  let fingerprint = '';
  // Seed by seed, so that the two minima stay in registers.
  for (let seed = 0; seed < seeds.length; seed++) {
    const factor = seeds[seed]!;
    let high = 0xffff;
    let low = 0xffff;
    for (let at = 0; at < looked; at++) {
      // Each half of the product is a hash value.
      const value = Math.imul(hashes[at]!, factor);
      if (value >>> 16 < high) high = value >>> 16;
      if ((value & 0xffff) < low) low = value & 0xffff;
    }
    fingerprint += String.fromCharCode(mix(high, 7) & 0xff, mix(low, 7) & 0xff);
  }
  return fingerprint;
}

/** Fills `units` with letters. Leaves out numbers that stand alone and reads signs inside words. @returns their number */
function readUnits(folded: string): number {
  let count = 0;
  let last = 0;
  const size = Math.min(folded.length, 16_384);
  for (let at = 0; at < size && count < units.length; at++) {
    const code = folded.charCodeAt(at);
    let unit = 0;
    if (code < 128) {
      unit = readings[code]!;
      // A digit or sign counts as a letter only beside one.
      if (unit !== 0 && (code < 97 || code > 122) && !isWordAt(folded, at - 1) && !isWordAt(folded, at + 1)) unit = 0;
    } else if (isLetterUnit(code)) unit = code;
    if (unit === 0 || unit === last) continue;
    units[count++] = unit;
    last = unit;
  }
  return count;
}

function isWordAt(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return (code >= 97 && code <= 122) || (code >= 128 && isLetterUnit(code));
}
