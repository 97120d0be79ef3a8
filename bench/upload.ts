/** Uploads: megabytes per second beside a bare stream to the same disk, and the memory of 100 uploads of 25 MB at once. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuSeconds, type Row, residentBytes, serverCore } from './measure.ts';
import { type Contender, interleave, toRow } from './rounds.ts';
import { type ServerUnderTest, startParleyServer, startScript } from './systems.ts';
import { startTown } from './town.ts';

const megabyte = 1024 * 1024;
/** A file, without the last few bytes that its framing takes. */
const fileBytes = 25 * megabyte;
const boundary = 'bench-boundary';
const opening = Buffer.from(
  `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="file.bin"\r\n\r\n`,
);
const closing = Buffer.from(`\r\n--${boundary}--\r\n`);
const chunk = randomBytes(256 * 1024);

/** Sends one file, chunk by chunk, so that the client takes no memory either. */
function sendFile({ port }: ServerUnderTest, path: string, token: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      ...{ host: '127.0.0.1', port, path, method: 'POST', agent: false },
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': `multipart/form-data; boundary=${boundary}`,
        'content-length': opening.length + fileBytes + closing.length,
      },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      response.resume();
      if (response.statusCode === 201) response.on('end', resolve);
      else reject(new Error(`the upload was answered ${response.statusCode}`));
    });
    request.write(opening);
    let sent = 0;
    const more = (): void => {
      while (sent < fileBytes) {
        sent += chunk.length;
        if (!request.write(chunk)) return void request.once('drain', more);
      }
      request.end(closing);
    };
    more();
  });
}

/** Files of one round, and how many are sent at once. */
const perRound = 16;
const atOnce = 4;

function contender(what: string, server: ServerUnderTest, send: () => Promise<void>): Contender {
  return {
    what,
    round: async () => {
      const cpu = cpuSeconds(server.child.pid!);
      const startedMs = performance.now();
      for (let sent = 0; sent < perRound; sent += atOnce) await Promise.all(Array.from({ length: atOnce }, send));
      const megabytes = (perRound * fileBytes) / megabyte;
      const cpuMicros = ((cpuSeconds(server.child.pid!) - cpu) / megabytes) * 1e6;
      return { rate: megabytes / ((performance.now() - startedMs) / 1000), cpuMicros };
    },
    stop: server.stop,
  };
}

async function startUploadServer(folder: string) {
  const town = await startTown(serverCore);
  const [person] = await town.addPeople(1);
  const server = await startParleyServer(town, {
    settings: {
      PARLEY_UPLOADS_DIR: folder,
      PARLEY_UPLOADS_QUOTA_BYTES: '1000GB',
      PARLEY_UPLOADS_PER_MINUTE: '1000000',
      PARLEY_UPLOADS_PER_USER_MAX: '1000',
      // What was measured is deleted soon, or the disk fills.
      PARLEY_UPLOADS_ORPHAN_LIFETIME: '10s',
      PARLEY_UPLOADS_SWEEP_INTERVAL: '1s',
    },
  });
  return { server, send: () => sendFile(server, '/v1/uploads', person!.token) };
}

async function inFolder(work: (folder: string) => Promise<Row[]>): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-bench-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Rates in MB/s, CPU per MB. */
export function uploads(): Promise<Row[]> {
  return inFolder(async (folder) => {
    const bare = await startScript('./bare-upload.ts', [folder]);
    const parley = await startUploadServer(folder);
    const summaries = await interleave([
      contender('a bare stream to disk, synced', bare, () => sendFile(bare, '/', '')),
      contender('Parley: login, quota, kind, store', parley.server, parley.send),
    ]);
    return summaries.map((summary) => toRow(summary, { note: `files of 25 MB, ${atOnce} at once` }));
  });
}

/** Resident megabytes of the server: before, and at most while 100 files of 25 MB arrive at once. */
export function uploadMemory(): Promise<Row[]> {
  return inFolder(async (folder) => {
    const { server, send } = await startUploadServer(folder);
    const resident = () => residentBytes(server.child.pid!) / megabyte;
    await send();
    const before = resident();
    let most = before;
    const timer = setInterval(() => {
      most = Math.max(most, resident());
    }, 50);
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: 100 }, send));
    clearInterval(timer);
    const seconds = (performance.now() - startedMs) / 1000;
    await server.stop();
    const note = `2,500 MB in ${seconds.toFixed(1)} s`;
    return [
      { what: 'before', rate: before },
      { what: 'most, with 100 uploads of 25 MB at once', rate: most, goal: { most: 2 }, note },
    ];
  });
}
