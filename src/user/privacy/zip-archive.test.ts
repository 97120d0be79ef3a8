import { buffer } from 'node:stream/consumers';
import { inflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type ArchiveEntry, zipOf } from './zip-archive.ts';

/** Names and texts by the central directory (APPNOTE 4.3.12). */
function readArchive(bytes: Buffer): Record<string, string> {
  const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  let at = bytes.readUInt32LE(end + 16);
  const texts: Record<string, string> = {};
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    const [packed, nameLength, extra, comment] = [
      bytes.readUInt32LE(at + 20),
      bytes.readUInt16LE(at + 28),
      bytes.readUInt16LE(at + 30),
      bytes.readUInt16LE(at + 32),
    ];
    const local = bytes.readUInt32LE(at + 42);
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    texts[name] = inflateRawSync(bytes.subarray(start, start + packed)).toString('utf8');
    at += 46 + nameLength + extra + comment;
  }
  return texts;
}

function createSource(count: number, content: Buffer) {
  const source = { made: 0, closed: false };
  async function* entries(): AsyncGenerator<ArchiveEntry> {
    try {
      for (let index = 0; index < count; index++) {
        source.made += 1;
        yield { name: `${index}.json`, content };
      }
    } finally {
      source.closed = true;
    }
  }
  return { source, entries: entries() };
}

test('an archive holds every entry with its name and content', async () => {
  const { entries } = createSource(3, Buffer.from('["ä"]'));
  expect(readArchive(await buffer(zipOf(entries)))).toEqual({
    '0.json': '["ä"]',
    '1.json': '["ä"]',
    '2.json': '["ä"]',
  });
});

test('an archive without entries is valid', async () => {
  const { entries } = createSource(0, Buffer.alloc(0));
  expect(readArchive(await buffer(zipOf(entries)))).toEqual({});
});

test('entries are requested as they are read, and the source closes when the reader leaves', async () => {
  // Incompressible, so that one entry fills every buffer between the source and the reader.
  const { source, entries } = createSource(1000, crypto.getRandomValues(Buffer.alloc(65_536)));
  const archive = zipOf(entries);
  await expect.poll(() => archive.readableLength).toBeGreaterThan(0);
  expect(source.made).toBeLessThan(1000);
  archive.destroy();
  await expect.poll(() => source.closed).toBe(true);
  expect(source.made).toBeLessThan(1000);
});

test('an error of the source is the error of the archive', async () => {
  async function* failing(): AsyncGenerator<ArchiveEntry> {
    yield { name: 'a.json', content: Buffer.from('[]') };
    throw new Error('the database is gone');
  }
  await expect(buffer(zipOf(failing()))).rejects.toThrow('the database is gone');
});
