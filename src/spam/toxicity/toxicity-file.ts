/** The toxicity model on disk: a line of JSON, then one byte per bucket. */
import { type ToxicityModel, toxicityBuckets } from './toxicity.ts';

export function writeToxicityModel({ hashed, ...head }: ToxicityModel): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(`${JSON.stringify(head)}\n`);
  const bytes = new Uint8Array(json.length + hashed.length);
  bytes.set(json);
  bytes.set(new Uint8Array(hashed.buffer, hashed.byteOffset, hashed.length), json.length);
  return bytes;
}

/** @throws Error if the bytes are not a model of this build */
export function readToxicityModel(bytes: Uint8Array): ToxicityModel {
  const end = bytes.indexOf(10);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as Omit<ToxicityModel, 'hashed'>;
  const body = bytes.slice(end + 1);
  if (body.length !== toxicityBuckets)
    throw new Error(`the model ${head.version} holds ${body.length} weights, not ${toxicityBuckets}`);
  return { ...head, hashed: new Int8Array(body.buffer, body.byteOffset, body.length) };
}
