/**
 * Writes a ZIP archive (APPNOTE 6.3.10) as a stream: each entry is compressed and sent before the next one is made, so
 * what is held is one entry and the list of their names.
 */
import { promisify } from 'node:util';
import { crc32, deflateRaw } from 'node:zlib';

export interface ArchiveEntry {
  /** ASCII. */
  readonly name: string;
  readonly content: Buffer;
}

const compress = promisify(deflateRaw);
const versionNeeded = 20;
const deflated = 8;
/** 1980-01-01: entries tell no time of their own. */
const dosDate = 0x0021;
const entriesMax = 65_535;

/** @throws Error beyond 65,535 entries or 4 GB, which this format does not hold */
export async function* writeZip(entries: AsyncIterable<ArchiveEntry>): AsyncGenerator<Buffer> {
  const directory: Buffer[] = [];
  let offset = 0;
  for await (const { name, content } of entries) {
    const data = await compress(content);
    const title = Buffer.from(name, 'ascii');
    const common = Buffer.alloc(26);
    common.writeUInt16LE(versionNeeded, 0);
    common.writeUInt16LE(0, 2);
    common.writeUInt16LE(deflated, 4);
    common.writeUInt16LE(0, 6);
    common.writeUInt16LE(dosDate, 8);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(title.length, 22);
    common.writeUInt16LE(0, 24);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, tail, title]));
    const entry = Buffer.concat([Buffer.from('PK\x03\x04'), common, title, data]);
    yield entry;
    offset += entry.length;
    if (directory.length > entriesMax || offset > 0xffff_ffff) throw new Error('the archive grows too large');
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(offset, 16);
  yield Buffer.concat([list, end]);
}
