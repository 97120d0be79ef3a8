/** pino's options: the list of redacted members, and an output that never blocks. */
import type { WriteStream } from 'node:fs';
import { Writable } from 'node:stream';
import pino, { type Logger } from 'pino';
import { createLinePrinter } from './pretty-lines.ts';

export interface LoggerSettings {
  readonly level: string;
  /** `auto`: lines for people on a terminal, JSON elsewhere. */
  readonly format?: 'auto' | 'json' | 'pretty';
  /** Bytes kept while the output is blocked. */
  readonly bufferBytes: number;
}

/** Names of members that hold secrets or texts of users. They are redacted up to three levels deep. */
const secrets = [
  'authorization',
  'cookie',
  'password',
  'token',
  'accessToken',
  'refreshToken',
  'secret',
  'text',
  'html',
  'email',
  'query',
  'parameters',
  'params',
];
const redacted = secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

type Output = WriteStream | NodeJS.WriteStream;

/**
 * Makes writes to a terminal asynchronous. By default Node blocks until the terminal takes the text, so one that is paused
 * (Ctrl-S) would stop the server. The handle has no public type.
 */
function writeWithoutWaiting(output: Output): void {
  const { _handle } = output as { _handle?: { setBlocking?: (blocking: boolean) => void } };
  _handle?.setBlocking?.(false);
}

/**
 * Lines go out as JSON, or for people. When the reader of the output is slow, lines beyond the bound are dropped and
 * counted: a log must never hold the server, nor fill its memory.
 */
export function createLogger(
  { level, bufferBytes, format = 'auto' }: LoggerSettings,
  output: Output = process.stdout,
): Logger {
  const isTerminal = 'isTTY' in output && output.isTTY;
  const isPretty = format === 'pretty' || (format === 'auto' && isTerminal);
  const print = isPretty ? createLinePrinter(isTerminal && output.hasColors()) : (line: string) => line;
  if (isTerminal) writeWithoutWaiting(output);
  let dropped = 0;
  output.on('error', () => {
    // A closed pipe: the reader of the log is gone.
    dropped += 1;
  });
  const bounded = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      if (output.writableLength > bufferBytes || output.destroyed) dropped += 1;
      else {
        if (dropped > 0) {
          const time = Date.now();
          output.write(print(`{"level":40,"time":${time},"msg":"log lines were dropped","dropped":${dropped}}\n`));
          dropped = 0;
        }
        output.write(print(chunk));
      }
      done();
    },
  });
  return pino(
    {
      level,
      base: undefined,
      redact: { paths: redacted, censor: '(hidden)' },
      serializers: { err: describeError, error: describeError },
    },
    bounded,
  );
}

/** The chain of causes without the parameters that database drivers put into their errors. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const chain: { name: string; message: string; code?: unknown }[] = [];
  let current: unknown = error;
  for (let depth = 0; current instanceof Error && depth < 5; depth++) {
    const { name, message, code } = current as Error & { code?: unknown };
    // Drizzle repeats the statement and its parameters in its message.
    chain.push({
      name,
      message: message.startsWith('Failed query') ? 'Failed query' : message.slice(0, 500),
      ...(code === undefined ? {} : { code }),
    });
    current = current.cause;
  }
  return {
    ...chain[0],
    causes: chain.slice(1),
    stack: error.stack
      ?.split('\n')
      .filter((line) => line.startsWith('    at '))
      .slice(0, 12)
      .join('\n'),
  };
}
