/** Ids for hot paths: UUIDv7 (RFC 9562 §5.7). They are ordered by time, so new entries go to the end of an index. */
import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

/** Random bytes for many ids at once, because getting them from the system costs more than the rest of an id. */
const pool = new Uint8Array(16 * 256);
let used = pool.length;

function random(): Uint8Array {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += 16;
  return pool.subarray(used - 16, used);
}

/** @returns a new UUIDv7. Ids of the same millisecond are in no order */
export function newId(): string {
  return v7({ rng: random });
}
