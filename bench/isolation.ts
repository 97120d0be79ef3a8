/** How a flood in a very large room affects small rooms: time from send to ack, without and with the flood, in one run. */
import { startCrowd } from './crowd-control.ts';
import { percentile, type Row, serverCore } from './measure.ts';
import { startParleyServer } from './systems.ts';
import { startTown } from './town.ts';

const largeMembers = 5000;
const smallRooms = 50;
/** More writes than a core can make one by one, so the server must join messages; fewer deliveries than it can make (fan-out-5000). */
const floodPerSecond = 60;

export async function isolation(): Promise<Row[]> {
  const town = await startTown(serverCore);
  const crowdPeople = await town.addPeople(largeMembers);
  const small = await town.addPeople(smallRooms * 2);
  const large = await town.addRoom(crowdPeople);
  const rooms = await town.addRooms(Array.from({ length: smallRooms }, (_, at) => small.slice(at * 2, at * 2 + 2)));
  const server = await startParleyServer(town);
  const open = { do: 'open', port: server.port, path: '/v1/ws', protocol: 'parley.v1', welcomeFrames: 1 } as const;
  const hello = ({ token }: { token: string }) => JSON.stringify({ type: 'hello', id: 0, token });
  const [mass, flooder, talkers] = [startCrowd({ yields: true }), startCrowd(), startCrowd()];
  await mass.order({ ...open, hellos: crowdPeople.map(hello) });
  await flooder.order({ ...open, hellos: crowdPeople.slice(0, 4).map(hello) });
  await talkers.order({ ...open, hellos: small.filter((_, at) => at % 2 === 0).map(hello) });
  const line = (roomId: string) =>
    JSON.stringify({ type: 'message.send', id: '{n}', roomId, clientId: 'k{n}', text: 'See you at noon, then.' });
  const talk = async (total: number) => {
    const report = await talkers.order({ do: 'send', texts: rooms.map(line), inFlight: 1, total, perSecond: 200 });
    if (report.refused) throw new Error(`${report.refused} sends were refused`);
    return report.latencies!;
  };
  // Garbage of thousands of connects and of the start counts in neither.
  await talk(1500);
  const quiet = await talk(2000);
  const flood = flooder.order({
    do: 'send',
    texts: [line(large)],
    inFlight: 4,
    total: floodPerSecond * 12,
    perSecond: floodPerSecond,
  });
  await new Promise((wake) => setTimeout(wake, 1000));
  const flooded = await talk(2000);
  await flood;
  await Promise.all([mass.stop(), flooder.stop(), talkers.stop()]);
  await server.stop();
  await town.end();
  const row = (what: string, waits: readonly number[]): Row => ({
    what,
    rate: percentile(waits, 0.99),
    note: `p50 ${percentile(waits, 0.5).toFixed(2)} ms`,
  });
  return [
    row('quiet', quiet),
    {
      ...row(`while ${floodPerSecond} messages a second go to ${largeMembers.toLocaleString('en')} members`, flooded),
      goal: { most: 2 },
    },
  ];
}
