/** Reads the pieces of a streamed message from a body: NDJSON, or Server-Sent Events as assistants send them. */
import { Failure, invalid } from '../../errors.ts';

/** What some bytes of the body brought. */
export interface Pieces {
  readonly text: string;
  /** The body says that the message ends here; `text` stands in place of all pieces. */
  readonly finish?: { readonly text?: string };
}

export interface PieceReader {
  /** @throws Failure `invalid`, `too_large` */
  readonly push: (chunk: Uint8Array) => Pieces;
  /** The body has ended. */
  readonly end: () => Pieces;
}

/** Media types of bodies, and how a line of each is read. */
export const pieceFormats = {
  'application/x-ndjson': readRecord,
  'application/jsonl': readRecord,
  'text/event-stream': readEventLine,
} as const;

export type PieceFormat = keyof typeof pieceFormats;

/** @param lineMax UTF-16 units */
export function createPieceReader(format: PieceFormat, lineMax: number): PieceReader {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const readLine = pieceFormats[format];
  let rest = '';

  function read(lines: readonly string[]): Pieces {
    let text = '';
    for (const line of lines) {
      const piece = readLine(line);
      text += piece.text;
      if (piece.finish) return { text, finish: piece.finish };
    }
    return { text };
  }

  function decode(chunk: Uint8Array | undefined): string {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch (cause) {
      throw new Failure('invalid', 'the body is not UTF-8', { cause });
    }
  }

  return {
    push: (chunk) => {
      const lines = (rest + decode(chunk)).split(/\r?\n/);
      rest = lines.pop()!;
      if (rest.length > lineMax) throw new Failure('too_large', `a line of the body has at most ${lineMax} characters`);
      return read(lines);
    },
    end: () => read([rest + decode(undefined)]),
  };
}

/** A line of NDJSON: `{"text": …}`, or `{"finish": {"text"?: …}}` as the last one. */
function readRecord(line: string): Pieces {
  if (line.trim() === '') return { text: '' };
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch (cause) {
    throw new Failure('invalid', 'a line of the body is not JSON', { cause });
  }
  const { text, finish, ...others } = (record ?? {}) as Record<string, unknown>;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw invalid(`/${unknown}`, 'unknown field');
  if (finish !== undefined) return { text: '', finish: readFinish(finish) };
  if (typeof text !== 'string') throw invalid('/text', 'must be a text');
  return { text };
}

function readFinish(finish: unknown): { readonly text?: string } {
  const { text } = (finish ?? {}) as { text?: unknown };
  if (text === undefined) return {};
  if (typeof text !== 'string') throw invalid('/finish/text', 'must be a text');
  return { text };
}

/** A line of an event stream. Comments, names and ids of events say nothing here; `[DONE]` is how assistants end. */
function readEventLine(line: string): Pieces {
  if (!line.startsWith('data:')) return { text: '' };
  const data = line.slice('data:'.length).trim();
  return data === '[DONE]' ? { text: '', finish: {} } : readRecord(data);
}
