/** The cost of growth: CPU per delivery with many active rooms, and per send with many stored messages. The goal is a flat line. */
import { startCrowd } from './crowd-control.ts';
import { fillRooms } from './history.ts';
import { type Row, serverCore, systemCpuSeconds } from './measure.ts';
import { type Contender, interleave, type Summary, toRow } from './rounds.ts';
import { startParleyServer } from './systems.ts';
import { startTown } from './town.ts';

const [readerCount, membersEach, speakerCount] = [1000, 100, 10];
const flat = { most: 1.5 };

function beside(summaries: readonly Summary[]): Row[] {
  return summaries.map((each, at) =>
    toRow(each, { ratio: each.cpuMicros! / summaries[0]!.cpuMicros!, ...(at === 0 ? {} : { goal: flat }) }),
  );
}

/** 1, 10, 100 and 1,000 rooms of a hundred members each, out of the same thousand people. Ten rooms are busy, or the only one. */
async function deliveriesOver(roomCount: number): Promise<Contender> {
  const town = await startTown(serverCore);
  const people = await town.addPeople(readerCount);
  const membersOf = (room: number) =>
    Array.from({ length: membersEach }, (_, at) => people[(room * membersEach + at) % readerCount]!);
  const members = Array.from({ length: roomCount }, (_, room) => membersOf(room));
  const rooms = await town.addRooms(members);
  const server = await startParleyServer(town);
  const [readers, senders] = [startCrowd(), startCrowd()];
  const open = { do: 'open', port: server.port, path: '/v1/ws', protocol: 'parley.v1', welcomeFrames: 1 } as const;
  const hello = ({ token }: { token: string }) => JSON.stringify({ type: 'hello', id: 0, token });
  await readers.order({ ...open, hellos: people.map(hello) });
  const busy = Array.from({ length: speakerCount }, (_, at) => at % roomCount);
  await senders.order({ ...open, hellos: busy.map((room) => hello(members[room]![0]!)) });
  const texts = busy.map((room) =>
    JSON.stringify({
      type: 'message.send',
      id: '{n}',
      roomId: rooms[room]!,
      clientId: 'k{n}',
      text: 'The quick brown fox jumps over the lazy dog.',
    }),
  );
  const pids = [server.child.pid!, town.pid];
  const total = 5000;
  // A sender's own connection reads its room too, and the single room has all senders.
  const deliveries = total * (membersEach + speakerCount / Math.min(roomCount, speakerCount));
  return {
    what: `CPU of a delivery, its share of the send included, ${roomCount.toLocaleString('en')} room${roomCount === 1 ? '' : 's'}`,
    round: async () => {
      const [cpu, startedMs] = [systemCpuSeconds(pids), performance.now()];
      await senders.order({ do: 'send', texts, inFlight: 16, total });
      const seconds = (performance.now() - startedMs) / 1000;
      // Everything that was written has been read.
      await new Promise((wake) => setTimeout(wake, 300));
      const used = systemCpuSeconds(pids) - cpu;
      return { rate: deliveries / seconds, cpuMicros: (used / deliveries) * 1e6 };
    },
    stop: async () => {
      await Promise.all([readers.stop(), senders.stop()]);
      await server.stop();
      await town.end();
    },
  };
}

async function sendsBehind(stored: number): Promise<Contender> {
  const town = await startTown(serverCore);
  const [owner, speaker] = await town.addPeople(2);
  const rooms = (await fillRooms(town, owner!, stored)).slice(0, 16);
  // A user with few rooms: this measures the send, not the welcome of a user with thousands of unread rooms.
  await town.sql`insert into members (room_id, user_id, role, joined_seq) select r, ${speaker!.id}, 'member', 1 from unnest(${rooms}::uuid[]) r`;
  const server = await startParleyServer(town);
  const crowd = startCrowd();
  const hello = JSON.stringify({ type: 'hello', id: 0, token: speaker!.token });
  await crowd.order({
    do: 'open',
    port: server.port,
    path: '/v1/ws',
    protocol: 'parley.v1',
    hellos: rooms.map(() => hello),
    welcomeFrames: 1,
  });
  const texts = rooms.map((roomId) =>
    JSON.stringify({ type: 'message.send', id: '{n}', roomId, clientId: 'b{n}', text: 'And noon it is.' }),
  );
  const pids = [server.child.pid!, town.pid];
  const total = 5000;
  return {
    what: `CPU of a send, ${stored.toLocaleString('en')} messages stored before`,
    round: async () => {
      const [cpu, startedMs] = [systemCpuSeconds(pids), performance.now()];
      await crowd.order({ do: 'send', texts, inFlight: 16, total });
      const seconds = (performance.now() - startedMs) / 1000;
      const used = systemCpuSeconds(pids) - cpu;
      return { rate: total / seconds, cpuMicros: (used / total) * 1e6 };
    },
    stop: async () => {
      await crowd.stop();
      await server.stop();
      await town.end();
    },
  };
}

export async function growthOfRooms(): Promise<Row[]> {
  const contenders: Contender[] = [];
  for (const roomCount of [1, 10, 100, 1000]) contenders.push(await deliveriesOver(roomCount));
  return beside(await interleave(contenders));
}

export async function growthOfLog(): Promise<Row[]> {
  const contenders: Contender[] = [];
  for (const stored of [10_000, 1_000_000, 10_000_000]) contenders.push(await sendsBehind(stored));
  return beside(await interleave(contenders));
}
