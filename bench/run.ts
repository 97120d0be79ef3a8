/**
 * `npm run bench [-- name …]`: all ratios come from one run on one machine. The server, its Postgres and Redis share one core, the clients use
 * another; systems are warmed up and then measured in turn (rounds.ts). Prints tables, and writes `dist/bench.json` and `dist/bench.svg`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { accountTiming } from './account-timing.ts';
import { chart } from './chart.ts';
import { connects } from './connects.ts';
import { durableSends } from './durable-sends.ts';
import { endToEnd } from './end-to-end.ts';
import { engineShipped, engineWire } from './engine.ts';
import { fanOut, smallRooms } from './fan-out.ts';
import { growthOfLog, growthOfRooms } from './growth.ts';
import { history } from './history.ts';
import { idleConnections } from './idle-connections.ts';
import { isolation } from './isolation.ts';
import { killAll, printRows, type Row, withRatios } from './measure.ts';
import { reactions } from './reactions.ts';
import { renderBesidePeers } from './render.ts';
import { storeAlone } from './store.ts';
import { threadHistory } from './thread-history.ts';
import { uploadMemory, uploads } from './upload.ts';
import { workerPools } from './worker-pools.ts';

interface Bench {
  readonly title: string;
  readonly run: () => Promise<Row[]>;
  readonly unit?: string;
}

const benches: Readonly<Record<string, Bench>> = {
  'fan-out-100': { title: 'Deliveries to 100 members of one room', run: () => fanOut(100, 1600) },
  'fan-out-1000': { title: 'Deliveries to 1,000 members of one room', run: () => fanOut(1000, 320) },
  'fan-out-5000': { title: 'Deliveries to 5,000 members of one room', run: () => fanOut(5000, 64) },
  'small-rooms': { title: 'Deliveries to 100 rooms of 10 members', run: () => smallRooms(100, 10, 800) },
  store: { title: 'The store alone', run: storeAlone },
  'durable-sends': { title: 'Acked durable sends, judged on the way', run: durableSends },
  reactions: { title: 'A storm of reactions beside messages, one room', run: reactions },
  'end-to-end-1': { title: 'From send to 200 readers, one instance', run: () => endToEnd(1) },
  'end-to-end-2': { title: 'From send to 200 readers, two instances through Redis', run: () => endToEnd(2) },
  isolation: { title: 'Small rooms beside a flood: p99 from send to ack', run: isolation, unit: ' ms' },
  'history-1m': { title: 'The newest 50 of a room, 1 M messages', run: () => history(1_000_000) },
  'history-10m': { title: 'The newest 50 of a room, 10 M messages', run: () => history(10_000_000) },
  'thread-history': { title: 'Pages of 50 of a thread beside those of its room', run: threadHistory },
  'idle-connections': { title: 'Bytes of an idle connection', run: () => idleConnections(10_000), unit: ' B' },
  'engine-wire': { title: 'Texts over the processing port, the engine taking no time', run: engineWire },
  engine: {
    title: 'Texts judged and shown by the engine that ships, one thread, one core with its port',
    run: engineShipped,
  },
  render: { title: 'Markdown to safe HTML, one thread', run: renderBesidePeers },
  'worker-pools': { title: 'Texts through one worker thread', run: workerPools },
  upload: { title: 'Files uploaded, MB', run: uploads, unit: ' MB/s' },
  'upload-memory': { title: 'Resident memory while files arrive', run: uploadMemory, unit: ' MB' },
  'account-timing': { title: 'What time tells about accounts', run: accountTiming, unit: ' µs' },
  connects: { title: 'CPU of a connect with its welcome', run: () => connects(4000) },
  'growth-rooms': { title: 'Deliveries as rooms become many', run: growthOfRooms },
  'growth-log': { title: 'Sends as the log grows', run: growthOfLog },
};

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !Object.hasOwn(benches, name));
if (unknown !== undefined) throw new Error(`"${unknown}" is none of ${Object.keys(benches).join(', ')}`);
const dist = new URL('../dist/', import.meta.url);
mkdirSync(dist, { recursive: true });
const results: Record<string, { title: string; rows: ReturnType<typeof withRatios> }> = {};
for (const [name, { title, run, unit }] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  let rows: Row[];
  try {
    rows = await run();
  } catch (error) {
    // The others are still measured.
    process.stderr.write(`\n${title} (${name}) failed: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 1;
    killAll();
    continue;
  }
  printRows(`${title} (${name})`, rows, unit);
  results[name] = { title, rows: withRatios(rows) };
  // After each benchmark, so that an aborted run keeps its results.
  writeFileSync(new URL('bench.json', dist), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(new URL('bench.svg', dist), chart(Object.values(results)));
}
process.exit();
