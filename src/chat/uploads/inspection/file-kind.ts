/** What a file is, by its content. Neither its name nor what the client says of it counts. */
import { createReadStream } from 'node:fs';

/** Decoded, and encoded again: by the type that file-type finds. */
const pictures: Readonly<Record<string, string>> = {
  'image/png': 'image/png',
  'image/apng': 'image/png',
  'image/jpeg': 'image/jpeg',
  'image/gif': 'image/gif',
  'image/webp': 'image/webp',
  'image/avif': 'image/avif',
};

export const unknownType = 'application/octet-stream';

/** @returns the type of a picture that is decoded; undefined for everything else */
export function pictureType(type: string): string | undefined {
  return pictures[type];
}

/** @returns a media type without parameters; `text/plain` for text of any kind, so that no markup is ever served as such */
export async function detectType(path: string): Promise<string> {
  const { fileTypeFromFile } = await import('file-type');
  const found = await fileTypeFromFile(path).catch(() => undefined);
  if (found) return found.mime.split(';')[0]!.trim().toLowerCase();
  return (await isText(path)) ? 'text/plain' : unknownType;
}

/** Control characters that no text has. */
const binary = /[\p{Cc}--\s]/v;

async function isText(path: string): Promise<boolean> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>)
      if (binary.test(decoder.decode(chunk, { stream: true }))) return false;
    decoder.decode();
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}
