/** The model on disk: a line of JSON, then one byte per bucket. */

import type { Model } from './classifier.ts';
import { buckets } from './features.ts';

export function writeModel({ hashed, ...head }: Model): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(`${JSON.stringify(head)}\n`);
  const bytes = new Uint8Array(json.length + hashed.length);
  bytes.set(json);
  bytes.set(new Uint8Array(hashed.buffer, hashed.byteOffset, hashed.length), json.length);
  return bytes;
}

/** @throws Error when the bytes are no model of this build */
export function readModel(bytes: Uint8Array): Model {
  const end = bytes.indexOf(10);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as Omit<Model, 'hashed'>;
  const body = bytes.slice(end + 1);
  if (body.length !== buckets)
    throw new Error(`the model ${head.version} holds ${body.length} weights, not ${buckets}`);
  return { ...head, hashed: new Int8Array(body.buffer, body.byteOffset, body.length) };
}
