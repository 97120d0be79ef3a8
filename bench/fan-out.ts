/** Deliveries to the members of one room: Parley with store and moderation. Baseline: bare `ws` that only writes. */
import { startCrowd } from './crowd-control.ts';
import { type Row, serverCore, systemCpuSeconds } from './measure.ts';
import { natsHello, natsWelcomeFrames, startNats } from './nats.ts';
import { type Contender, interleave, type Summary, toRow } from './rounds.ts';
import { type ServerUnderTest, socketIoOpening, startParleyServer, startScript, startSocketIo } from './systems.ts';
import { type Person, startTown } from './town.ts';

interface Fed {
  readonly what: string;
  readonly start: () => Promise<ServerUnderTest>;
  readonly path?: string;
  readonly hello?: string;
  readonly welcomeFrames?: number;
}

/** The members of a room and their sender, ready to measure. */
interface Audience {
  readonly what: string;
  readonly members: number;
  /** Messages per round. */
  readonly count: number;
  /** Processes whose CPU counts, with their children. */
  readonly pids: readonly number[];
  /** Sends the messages of a round and resolves when all members have them. */
  readonly send: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

function toContender({ what, members, count, pids, send, stop }: Audience): Contender {
  return {
    what,
    round: async () => {
      const [cpu, startedMs] = [systemCpuSeconds(pids), performance.now()];
      await send();
      const seconds = (performance.now() - startedMs) / 1000;
      const used = systemCpuSeconds(pids) - cpu;
      const deliveries = members * count;
      return { rate: deliveries / seconds, cpuMicros: (used / deliveries) * 1e6 };
    },
    stop,
  };
}

/** A server that IPC tells to send `count` messages to all connections. */
async function fed(
  { what, start, path = '/', hello = '', welcomeFrames = 0 }: Fed,
  members: number,
  count: number,
  text: string,
): Promise<Contender> {
  const { port, child: server, stop } = await start();
  const crowd = startCrowd();
  await crowd.order({ do: 'open', port, path, hellos: Array(members).fill(hello), welcomeFrames });
  return toContender({
    what,
    members,
    count,
    pids: [server.pid!],
    send: async () => {
      const reached = crowd.order({ do: 'expect', framesEach: count });
      server.send({ text, count });
      await reached;
    },
    stop: async () => {
      await crowd.stop();
      await stop();
    },
  });
}

const perMessage = (roomCount = 1): Fed => ({
  what: 'bare ws, pre-framed, one write per message',
  start: () => startScript('./bare-ws.ts', ['perMessage', String(roomCount)]),
});

/** @param turn messages per tick of the event loop, to each room */
const perTurn = (turn: number, roomCount = 1): Fed => ({
  what: `bare ws, pre-framed, one write per turn of ${turn}`,
  start: () => startScript('./bare-ws.ts', ['perTurn', String(roomCount), String(turn)]),
});
const hubAlone = (turn: number, roomCount = 1): Fed => ({
  what: "Parley's hub alone, events as from another instance",
  start: () => startScript('./hub-server.ts', [String(roomCount), String(turn)]),
  welcomeFrames: 1,
});

async function socketIo(members: number, count: number, text: string): Promise<Contender | undefined> {
  const server = await startSocketIo();
  if (!server) return undefined;
  const peer = { what: 'socket.io with its Redis adapter', start: async () => server, ...socketIoOpening };
  return fed(peer, members, count, text);
}

/** NATS over WebSocket, if Debian's package is installed. */
async function nats(members: number, count: number, text: string): Promise<Contender | undefined> {
  const server = await startNats();
  if (!server) return undefined;
  const crowd = startCrowd();
  const hellos = Array(members).fill(natsHello);
  await crowd.order({ do: 'open', port: server.port, path: '/', hellos, welcomeFrames: natsWelcomeFrames });
  return toContender({
    what: 'NATS over WebSocket',
    members,
    count,
    pids: [server.child.pid!],
    send: async () => {
      const reached = crowd.order({ do: 'expect', bytesEach: count * server.bytesOf(text) });
      server.publish(text, count);
      await reached;
    },
    stop: async () => {
      await crowd.stop();
      await server.stop();
    },
  });
}

/** The complete path: eight members send, all members read. */
async function parley(members: number, count: number, filler: string): Promise<Contender> {
  const town = await startTown(serverCore);
  const people = await town.addPeople(members);
  const room = await town.addRoom(people);
  const server = await startParleyServer(town);
  const [readers, senders] = [startCrowd(), startCrowd()];
  const open = { do: 'open', port: server.port, path: '/v1/ws', protocol: 'parley.v1', welcomeFrames: 1 } as const;
  const hello = ({ token }: Person) => JSON.stringify({ type: 'hello', id: 0, token });
  await readers.order({ ...open, hellos: people.map(hello) });
  await senders.order({ ...open, hellos: people.slice(0, 8).map(hello) });
  const text = JSON.stringify({ type: 'message.send', id: '{n}', roomId: room, clientId: 'k{n}', text: filler });
  return toContender({
    what: 'Parley: judged, stored, then delivered',
    members,
    count,
    pids: [server.child.pid!, town.pid],
    send: async () => {
      const reached = readers.order({ do: 'expect', framesEach: count });
      reached.catch(() => {});
      const sent = await senders.order({ do: 'send', texts: [text], inFlight: 16, total: count });
      if (sent.refused) throw new Error(`${sent.refused} sends were refused`);
      await reached;
    },
    stop: async () => {
      await Promise.all([readers.stop(), senders.stop()]);
      await server.stop();
      await town.end();
    },
  });
}

/** As long as one of Parley's frames. */
const frame = 'x'.repeat(560);

/** Baselines: one write per message, one write per tick, socket.io. Also the CPU per delivery for one member in a thousand. */
const goals: Readonly<Record<number, number>> = { 100: 15, 1000: 6, 5000: 2.5 };

/**
 * Messages that a flooded room gets per tick of the event loop. The fewer members, the shorter a tick of 16, and the more messages gather
 * before the next one. A group commit holds up to 512.
 */
const turnOf = (members: number): number => (members <= 100 ? 64 : 16);

/** @param count messages per round of bare `ws`; the rounds of the others last about as long */
export async function fanOut(members: number, count: number): Promise<Row[]> {
  const filler = 'The quick brown fox jumps over the lazy dog, and nobody minds.';
  const turn = turnOf(members);
  const own = [
    await fed(perMessage(), members, count, frame),
    await fed(perTurn(turn), members, count * 4, frame),
    await fed(hubAlone(turn), members, count * 4, frame.slice(60)),
    await parley(members, count * 4, filler),
  ];
  const peer = await socketIo(members, Math.ceil(count / 8), frame);
  const other = await nats(members, count, frame);
  const [bare, batched, hub, whole, ...peers] = await interleave(
    [...own, peer, other].filter((each) => each !== undefined),
  );
  const beside = (one: Summary, another: Summary) => (one.rate / another.rate).toFixed(2);
  const note = (one: Summary) =>
    `${beside(one, batched!)} × the batching bare server (goal ≥ 0.8), CPU ${(one.cpuMicros! / batched!.cpuMicros!).toFixed(2)} × its (goal ≤ 1.5)${peer ? `; ${beside(one, peers[0]!)} × socket.io` : ''}`;
  const goal = { least: goals[members]! };
  return [
    toRow(bare!),
    toRow(batched!),
    toRow(hub!, { goal, note: note(hub!) }),
    toRow(whole!, { goal, note: note(whole!) }),
    ...peers.map((each) => toRow(each)),
  ];
}

/** Every room gets the same number of messages, those of one tick at once. */
export async function smallRooms(roomCount: number, membersEach: number, count: number): Promise<Row[]> {
  const members = roomCount * membersEach;
  const summaries = await interleave([
    await fed(perMessage(roomCount), members, count, frame),
    await fed(perTurn(16, roomCount), members, count, frame),
    await fed(hubAlone(16, roomCount), members, count, frame.slice(60)),
  ]);
  return summaries.map((each) => toRow(each));
}
