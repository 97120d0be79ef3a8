/** Reads the form that brings a custom emoji: the fields `name` and `file`. */
import type { FastifyRequest } from 'fastify';
import { Value } from 'typebox/value';
import { Failure, invalid } from '../../errors.ts';
import { EmojiName } from './emoji-schemas.ts';

export interface EmojiForm {
  readonly name: string;
  readonly file: Buffer;
}

/** For `@fastify/multipart`: no more than the two fields, and no larger than they may be. */
export function formLimits(imageBytes: number) {
  return { fileSize: imageBytes, files: 1, fields: 1, parts: 2, fieldSize: 64, fieldNameSize: 64, headerPairs: 32 };
}

/** @throws Failure `unsupported_media_type`, `too_large`, `invalid` */
export async function readEmojiForm(request: FastifyRequest): Promise<EmojiForm> {
  if (!request.isMultipart()) throw new Failure('unsupported_media_type', 'a multipart form is needed');
  const { name, file } = await readParts(request);
  if (!Value.Check(EmojiName, name)) throw invalid('/name', '2 to 32 of a-z, 0-9, _ and -');
  if (!file) throw invalid('/file', 'missing');
  return { name: name as string, file };
}

async function readParts(request: FastifyRequest): Promise<{ name?: unknown; file?: Buffer }> {
  let name: unknown;
  let file: Buffer | undefined;
  try {
    for await (const part of request.parts()) {
      if (part.type === 'file' && part.fieldname === 'file') file = await part.toBuffer();
      else if (part.type === 'field' && part.fieldname === 'name') name = part.value;
      else throw invalid(`/${part.fieldname}`, 'unknown field');
    }
  } catch (error) {
    throw toFormFailure(error);
  }
  return { name, file };
}

function toFormFailure(error: unknown): unknown {
  if (error instanceof Failure) return error;
  const { code = '', statusCode } = error as { code?: string; statusCode?: number };
  if (code === 'FST_REQ_FILE_TOO_LARGE') return new Failure('too_large', 'the file is too large', { cause: error });
  // The limits of parts, and what the parser says of a form that is cut or damaged.
  return code === '' || (statusCode !== undefined && statusCode < 500)
    ? new Failure('invalid', 'not the form that is needed', { cause: error })
    : error;
}
