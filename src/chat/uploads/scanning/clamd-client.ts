/** Asks a clamd whether a file is clean, by its INSTREAM command: https://docs.clamav.net/manual/Usage/Scanning.html#clamd */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Failure } from '../../../errors.ts';

export interface ScannerSettings {
  /** `host:port` */
  readonly address: string;
  /** Milliseconds for one file. */
  readonly timeout: number;
}

export interface Scanner {
  /** @throws Failure `file_blocked` for an infected file, `unavailable` without an answer */
  readonly requireClean: (file: AsyncIterable<Buffer>) => Promise<void>;
}

/** The longest answer names a signature. */
const answerMax = 4096;

export function createScanner({ address, timeout }: ScannerSettings): Scanner {
  const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];

  async function ask(file: AsyncIterable<Buffer>): Promise<string> {
    const socket = connect({ host, port: Number(port) });
    const timer = setTimeout(() => socket.destroy(new Error(`no verdict in ${timeout} ms`)), timeout);
    // A scanner that refuses a file says so and closes while the file is still being sent.
    const sent = send(socket, file).catch(() => {});
    try {
      return await readAnswer(socket);
    } finally {
      clearTimeout(timer);
      socket.destroy();
      await sent;
    }
  }

  return {
    requireClean: async (file) => {
      const answer = await ask(file).catch((error: unknown) => {
        throw new Failure('unavailable', 'the virus scanner is unavailable', { cause: error, retryAfterMs: 5000 });
      });
      if (/^stream: OK$/.test(answer)) return;
      const [, signature] = /^stream: (.+) FOUND$/.exec(answer) ?? [];
      if (signature === undefined)
        throw new Failure('unavailable', 'the virus scanner gave no verdict', { cause: new Error(answer) });
      throw new Failure('file_blocked', 'the virus scanner refused this file', { details: { signature } });
    },
  };
}

/** The command, then chunks with their length before them, then an empty one. */
async function send(socket: Socket, file: AsyncIterable<Buffer>): Promise<void> {
  await write(socket, Buffer.from('zINSTREAM\0'));
  for await (const chunk of file) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(chunk.length);
    await write(socket, length);
    await write(socket, chunk);
  }
  await write(socket, Buffer.alloc(4));
}

async function write(socket: Socket, bytes: Buffer): Promise<void> {
  if (socket.destroyed) throw new Error('the connection was closed');
  if (socket.write(bytes)) return;
  await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
}

/** @returns the answer without its final NUL. @throws Error if there is none */
async function readAnswer(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    text += chunk.toString('utf8');
    const end = text.indexOf('\0');
    if (end >= 0) return text.slice(0, end).trim();
    if (text.length > answerMax) break;
  }
  throw new Error('the connection was closed without a verdict');
}
