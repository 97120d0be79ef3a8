/** Decodes the bytes of a page as browsers do: a byte order mark, then the header, then a meta tag, then a guess. */

/** A meta tag counts within these bytes: https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding */
const prescanBytes = 1024;
const metaCharset = /<meta[^>]{0,300}charset\s*=\s*["']?\s*([\w.:-]+)/i;
const headerCharset = /charset\s*=\s*["']?([\w.:-]+)/i;

/** The text of a page, in pieces. @param contentType of the answer */
export async function* decodePage(
  chunks: AsyncIterable<Buffer>,
  contentType: string,
): AsyncGenerator<string, void, undefined> {
  let decoder: TextDecoder | undefined;
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    if (decoder) {
      yield decoder.decode(chunk, { stream: true });
      continue;
    }
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < prescanBytes) continue;
    const start = Buffer.concat(held);
    decoder = chooseDecoder(start, contentType);
    held = [];
    yield decoder.decode(start, { stream: true });
  }
  const start = Buffer.concat(held);
  decoder ??= chooseDecoder(start, contentType);
  yield decoder.decode(start);
}

function chooseDecoder(start: Buffer, contentType: string): TextDecoder {
  const named = markOf(start) ?? headerCharset.exec(contentType)?.[1] ?? metaLabel(start);
  return (
    (named === undefined ? undefined : tryDecoder(named)) ?? new TextDecoder(isUtf8(start) ? 'utf-8' : 'windows-1252')
  );
}

function markOf(start: Buffer): string | undefined {
  if (start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf) return 'utf-8';
  if (start[0] === 0xfe && start[1] === 0xff) return 'utf-16be';
  return start[0] === 0xff && start[1] === 0xfe ? 'utf-16le' : undefined;
}

function metaLabel(start: Buffer): string | undefined {
  const label = metaCharset.exec(start.subarray(0, prescanBytes).toString('latin1'))?.[1];
  // The tag could not have been found in UTF-16.
  return label && /^utf-?16/i.test(label) ? 'utf-8' : label;
}

function tryDecoder(label: string): TextDecoder | undefined {
  try {
    return new TextDecoder(label);
  } catch {
    return undefined;
  }
}

/** The last character may be cut. */
function isUtf8(start: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(start, { stream: true });
    return true;
  } catch {
    return false;
  }
}
