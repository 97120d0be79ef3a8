/** `npm run bench [-- name …]`: every ratio from one run on one machine, the server on one core, the clients on another. */
import { accountTiming } from './account-timing.ts';
import { durableSends } from './durable-sends.ts';
import { engineShipped, engineWire } from './engine.ts';
import { fanOut } from './fan-out.ts';
import { idleConnections } from './idle-connections.ts';
import { printRows, type Row } from './measure.ts';
import { storeAlone } from './store.ts';
import { workerPools } from './worker-pools.ts';

const benches: Readonly<Record<string, readonly [string, () => Promise<Row[]>, unit?: string]>> = {
  'fan-out-100': ['Deliveries to 100 members of one room', () => fanOut(100, 4000)],
  'fan-out-1000': ['Deliveries to 1,000 members of one room', () => fanOut(1000, 1600)],
  'fan-out-5000': ['Deliveries to 5,000 members of one room', () => fanOut(5000, 320)],
  store: ['The store alone', storeAlone],
  'idle-connections': ['Bytes of an idle connection', () => idleConnections(5000), 'B'],
  'engine-wire': ['Texts over the processing port, the engine taking no time', engineWire],
  engine: ['Texts judged and shown by the engine that ships, one thread, one core with its port', engineShipped],
  'worker-pools': ['Texts through one worker thread', workerPools],
  'durable-sends': ['Acked durable sends', durableSends],
  'account-timing': ['What time tells about accounts', accountTiming, 'µs'],
};

const wanted = process.argv.slice(2);
for (const [name, [title, run, unit]] of Object.entries(benches)) {
  if (wanted.length === 0 || wanted.includes(name)) printRows(`${title} (${name})`, await run(), unit);
}
process.exit(0);
