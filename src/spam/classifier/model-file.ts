/** The spam model on disk: a line of JSON, then a byte for each weight that is not zero, with the distance from the last. */

import type { Model } from './classifier.ts';
import { buckets } from './feature-set.ts';

/**
 * Most weights are zero, so the body consists of pairs: the number of zeros, then the weight. A run of 255 or more zeros is
 * written as 255 with the weight 0.
 */
export function writeModel({ hashed, ...head }: Model): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(`${JSON.stringify(head)}\n`);
  const body: number[] = [];
  let noughts = 0;
  for (let bucket = 0; bucket < hashed.length; bucket++) {
    if (hashed[bucket] === 0) {
      if (++noughts === 256) {
        body.push(255, 0);
        noughts = 0;
      }
      continue;
    }
    body.push(noughts, hashed[bucket]! & 0xff);
    noughts = 0;
  }
  const bytes = new Uint8Array(json.length + body.length);
  bytes.set(json);
  bytes.set(body, json.length);
  return bytes;
}

/** @throws Error if the bytes are not a model of this build */
export function readModel(bytes: Uint8Array): Model {
  const end = bytes.indexOf(10);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as Omit<Model, 'hashed'>;
  const hashed = new Int8Array(buckets);
  let bucket = 0;
  for (let at = end + 1; at + 1 < bytes.length; at += 2) {
    bucket += bytes[at]!;
    if (bucket >= buckets) throw new Error(`the model ${head.version} holds more than ${buckets} weights`);
    hashed[bucket++] = (bytes[at + 1]! << 24) >> 24;
  }
  return { ...head, hashed };
}
