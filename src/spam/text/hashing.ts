/** The hash behind the hashed features. Any change of it needs a new training. */

/** FNV-1a, one unit further. */
export function hashStep(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01000193);
}

/** A unit as a number with its low bits well spread. */
export function hashCode(code: number): number {
  return code + 16;
}

/**
 * Two values as one, well mixed: every bit of the answer hangs on every bit given. Signed, as half of the unsigned numbers of
 * 32 bits cost an object each wherever they are kept.
 */
export function mix(left: number, right: number): number {
  let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  hash ^= hash >>> 13;
  return Math.imul(hash, 0x297a2d39);
}

/** As the extractor hashes a word: letters beyond the second of a run are left out. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  let last = 0;
  let repeats = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    repeats = code === last ? repeats + 1 : 0;
    last = code;
    if (repeats < 2) hash = hashStep(hash, code);
  }
  return mix(hash, 1);
}
