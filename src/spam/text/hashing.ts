/** Hash functions of the hashed features. The models depend on them: after any change they must be trained again. */

/** One step of FNV-1a. */
export function hashStep(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01000193);
}

/** A unit as a number that is larger than the stand-ins for a word's ends. */
export function hashCode(code: number): number {
  return code + 16;
}

/**
 * Mixes two values into one: every bit of the result depends on every bit of both. The result is signed, because V8 stores half
 * of the unsigned 32-bit numbers as objects.
 */
export function mix(left: number, right: number): number {
  let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  hash ^= hash >>> 13;
  return Math.imul(hash, 0x297a2d39);
}

/** Hashes a word as the extractor does: of a run of equal letters only the first two count. */
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
