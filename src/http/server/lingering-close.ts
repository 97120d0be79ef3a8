/**
 * Closes the connection of a refused body so that its client reads the refusal. If a server closes while a client is still
 * sending, TCP resets the connection, and the client sees a broken connection instead of the answer. So the rest of the body
 * is read and dropped for a moment, as RFC 9112 §9.6 advises.
 */
import type { IncomingMessage } from 'node:http';

export interface LingerLimits {
  readonly bytesMax: number;
  /** Milliseconds. */
  readonly timeMax: number;
}

/** Called before the refusal is sent, which closes the connection. */
export function lingerOnClose(request: IncomingMessage, { bytesMax, timeMax }: LingerLimits): void {
  const { socket } = request;
  if (request.complete || socket.destroyed) return;
  const close = socket.destroySoon.bind(socket);
  let bytes = 0;
  request.unpipe();
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) socket.destroy();
  });
  request.on('error', () => {});
  // Node calls this when the answer was written.
  socket.destroySoon = () => {
    if (request.complete) return close();
    const timer = setTimeout(() => socket.destroy(), timeMax);
    request.once('end', close);
    socket.once('close', () => clearTimeout(timer));
  };
  request.resume();
}
