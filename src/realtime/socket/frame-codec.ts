/** Frames on the wire: the server's side of RFC 6455 text frames, and reading a client's JSON within bounds. */
import { Failure } from '../../errors.ts';

/** RFC 6455 §5.2: FIN and opcode 1, text. */
const finText = 0x81;

/**
 * One unmasked text frame as bytes. It is made once, however many sockets it goes to.
 * @param json the payload, one JSON object
 */
export function frameText(json: string): Buffer {
  const length = Buffer.byteLength(json);
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + length);
  frame[0] = finText;
  if (header === 2) frame[1] = length;
  else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  frame.write(json, header, 'utf8');
  return frame;
}

export interface ClientFrame {
  readonly type: string;
  readonly id: string | number;
  readonly [field: string]: unknown;
}

/** Bounds of a frame's shape. Deeper or wider JSON is an attack, not a message. */
const depthMax = 32;
const keysMax = 1000;
const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype']);

/** A refusal with the id of the frame that it answers, if that could be read. */
export class BadFrame extends Failure {
  readonly id: string | number | undefined;

  constructor(message: string, id?: string | number) {
    super('bad_frame', message);
    this.id = id;
  }
}

/**
 * Reads one frame. Only the shape common to all frames is checked here: an object with `type` and `id`.
 * @throws BadFrame
 */
export function parseClientFrame(text: string): ClientFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadFrame('not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new BadFrame('not a JSON object');
  const frame = value as Record<string, unknown>;
  const id = readableId(frame);
  const complaint = complainAboutShape(frame);
  if (complaint) throw new BadFrame(complaint, id);
  if (id === undefined) throw new BadFrame('"id" must be a string of 1 to 64 characters or a number');
  if (typeof frame.type !== 'string') throw new BadFrame('"type" must be a string', id);
  return frame as ClientFrame;
}

function readableId(frame: Record<string, unknown>): string | number | undefined {
  const id = Object.hasOwn(frame, 'id') ? frame.id : undefined;
  if (typeof id === 'string' && id.length > 0 && id.length <= 64) return id;
  if (typeof id === 'number' && Number.isFinite(id)) return id;
  return undefined;
}

function complainAboutShape(root: object): string | undefined {
  let keys = 0;
  const stack: { readonly node: object; readonly depth: number }[] = [{ node: root, depth: 1 }];
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    if (entry.depth > depthMax) return `nested deeper than ${depthMax}`;
    for (const key of Object.keys(entry.node)) {
      if (++keys > keysMax) return `more than ${keysMax} keys`;
      if (forbiddenKeys.has(key)) return `the key "${key}" is not allowed`;
      const child = (entry.node as Record<string, unknown>)[key];
      if (typeof child === 'object' && child !== null) stack.push({ node: child, depth: entry.depth + 1 });
    }
  }
  return undefined;
}
