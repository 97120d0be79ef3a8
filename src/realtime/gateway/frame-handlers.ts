/** A feature registers a handler for each of its frame types: the schema of the frame, and the work that makes its answer. */
import { type Static, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { invalidInput } from '../../http/input/input-errors.ts';
import type { Connection, ConnectionUser } from '../socket/connection.ts';
import type { ClientFrame } from '../socket/frame-codec.ts';

/** The sender of a frame and its connection. */
export interface FrameContext {
  readonly connection: Connection;
  readonly caller: ConnectionUser;
}

/** Fields of the `ack` beside `type` and `id`. */
export type Ack = Readonly<Record<string, unknown>>;

export interface FrameHandler {
  /** Of the whole frame. */
  readonly schema: TSchema;
  /** What the frame does, for the AsyncAPI document. */
  readonly summary: string;
  readonly check: (frame: ClientFrame) => void;
  readonly run: (context: FrameContext, frame: never) => Promise<Ack> | Ack;
}

export type FrameHandlers = Readonly<Record<string, FrameHandler>>;

const FrameId = Type.Union([Type.String(), Type.Number()]);

/**
 * @param properties the frame's fields beside `type` and `id`; other fields are refused
 * @param run returns the fields of the `ack`
 * @param summary what the frame does; default: what its REST twin does
 */
export function frameHandler<Properties extends Parameters<typeof Type.Object>[0]>(
  properties: Properties,
  run: (context: FrameContext, frame: Static<ReturnType<typeof Type.Object<Properties>>>) => Promise<Ack> | Ack,
  summary = 'Does the same as its REST twin. The ack holds what that answers',
): FrameHandler {
  const schema = Type.Object({ type: Type.String(), id: FrameId, ...properties }, { additionalProperties: false });
  const compiled = Compile(schema);
  const check = (frame: ClientFrame) => {
    if (compiled.Check(frame)) return;
    throw invalidInput([...compiled.Errors(frame)], 'frame');
  };
  return { schema, summary, check, run: run as FrameHandler['run'] };
}
