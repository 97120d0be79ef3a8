/** Ids of the hot path: UUIDv7 (RFC 9562 §5.7), time-ordered, so that an index is written at its end. */
import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

/** Random bytes are drawn from the system for many ids at once: a draw costs more than all the rest of an id. */
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

/** A new UUIDv7; within a millisecond ids are in no order. */
export function newId(): string {
  return v7({ rng: random });
}
