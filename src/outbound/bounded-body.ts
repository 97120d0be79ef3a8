/** Decodes the body of an answer, and bounds it: what arrives, and what it becomes. */
import type { IncomingMessage } from 'node:http';
import { PassThrough, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { OutboundFailure } from './outbound-failure.ts';

/** Sent with every request. */
export const acceptedEncodings = 'gzip, deflate, br';

/** @throws OutboundFailure `bad_answer` for an encoding that was not asked for, or more than one */
function createDecoder(encoding: string): Transform {
  switch (encoding.trim().toLowerCase()) {
    case '':
    case 'identity':
      return new PassThrough();
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'deflate':
      return createInflate();
    case 'br':
      return createBrotliDecompress();
    default:
      throw new OutboundFailure('bad_answer');
  }
}

/**
 * The decoded body, chunk by chunk. A zip bomb ends at the first chunk beyond the bound: decoders hand out 16 kB at a time.
 * @param bytesMax of what arrives, and of what it decodes to
 * @param mayCut the body ends at the bound instead of failing there
 * @throws OutboundFailure `too_large`, `bad_answer`, `unreachable`
 */
export async function* readBody(
  response: IncomingMessage,
  bytesMax: number,
  mayCut = false,
): AsyncGenerator<Buffer, void, undefined> {
  const decoder = createDecoder(response.headers['content-encoding'] ?? '');
  let arrived = 0;
  let decoded = 0;
  let isCut = false;
  response.on('data', (chunk: Buffer) => {
    arrived += chunk.length;
    if (arrived <= bytesMax || isCut) return;
    if (!mayCut) response.destroy(new OutboundFailure('too_large'));
    else {
      isCut = true;
      response.unpipe(decoder);
      decoder.end();
    }
  });
  response.on('error', (error) => decoder.destroy(error));
  // A connection that ends early is not the end of the body.
  response.on('close', () => {
    if (!response.complete && !isCut) decoder.destroy(new OutboundFailure('unreachable'));
  });
  response.pipe(decoder);
  try {
    for await (const chunk of decoder as AsyncIterable<Buffer>) {
      decoded += chunk.length;
      if (decoded <= bytesMax) yield chunk;
      else if (mayCut) return yield chunk.subarray(0, chunk.length - (decoded - bytesMax));
      else throw new OutboundFailure('too_large');
    }
  } catch (error) {
    // What was encoded is incomplete when it is cut.
    if (isCut) return;
    throw error instanceof OutboundFailure ? error : toBodyFailure(error);
  } finally {
    response.destroy();
    decoder.destroy();
  }
}

function toBodyFailure(cause: unknown): OutboundFailure {
  const { code = '' } = cause as NodeJS.ErrnoException;
  return new OutboundFailure(/^(Z_|ERR__ERROR_|ERR_|HPE_)/.test(code) ? 'bad_answer' : 'unreachable', { cause });
}
