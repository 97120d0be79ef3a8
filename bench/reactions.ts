/**
 * A storm of reactions: everybody in a room reacts to one message at once, and takes it back. Baseline: the same people
 * send messages into the same room. Both are stored, acked and delivered to all of them.
 */
import { randomUUID } from 'node:crypto';
import { startCrowd } from './crowd-control.ts';
import { type Row, serverCore, systemCpuSeconds } from './measure.ts';
import { type Contender, interleave, toRow } from './rounds.ts';
import { type ServerUnderTest, startParleyServer } from './systems.ts';
import { startTown, type Town } from './town.ts';

const people = 100;
/** How often everybody does it in a round. An even number: added and taken back. */
const wavesPerRound = 4;
const text = 'Shall we meet at the usual place around noon tomorrow? Bring the drawings, please.';

/** @param frameOf the frame of everybody in a wave. `{n}` in it becomes a number */
async function storm(
  town: Town,
  server: ServerUnderTest,
  what: string,
  frameOf: (place: { roomId: string; messageId: string }, wave: number) => object,
): Promise<Contender> {
  const members = await town.addPeople(people);
  const roomId = await town.addRoom(members);
  const messageId = randomUUID();
  await town.sql`insert into events (room_id, seq, type, actor_id, message_id, client_id, text, html)
    values (${roomId}, 2, 'message.created', ${members[0]!.id}, ${messageId}, 'first', 'hello', '<p>hello</p>')`;
  const crowd = startCrowd();
  await crowd.order({
    do: 'open',
    port: server.port,
    path: '/v1/ws',
    protocol: 'parley.v1',
    hellos: members.map(({ token }) => JSON.stringify({ type: 'hello', id: 0, token })),
    welcomeFrames: 1,
  });
  const pids = [server.child.pid!, town.pid];
  return {
    what,
    round: async () => {
      const [cpu, startedMs] = [systemCpuSeconds(pids), performance.now()];
      const latencies: number[] = [];
      for (let wave = 0; wave < wavesPerRound; wave++) {
        const texts = [JSON.stringify({ id: '{n}', roomId, ...frameOf({ roomId, messageId }, wave) })];
        const report = await crowd.order({ do: 'send', texts, inFlight: 1, total: people });
        if (report.refused) throw new Error(`${report.refused} were refused`);
        latencies.push(...report.latencies!);
      }
      const total = people * wavesPerRound;
      const seconds = (performance.now() - startedMs) / 1000;
      return { rate: total / seconds, cpuMicros: ((systemCpuSeconds(pids) - cpu) / total) * 1e6, latencies };
    },
    stop: crowd.stop,
  };
}

export async function reactions(): Promise<Row[]> {
  const town = await startTown(serverCore);
  const server = await startParleyServer(town);
  const alone = await startParleyServer(town, { settings: { PARLEY_MESSAGE_BATCH_MAX: '1' } });
  const react = ({ messageId }: { messageId: string }, wave: number) => ({
    type: wave % 2 === 0 ? 'reaction.add' : 'reaction.remove',
    messageId,
    emoji: '👍',
  });
  const [messages, apart, together] = await interleave([
    await storm(town, server, `messages of ${people} people into one room`, () => ({
      type: 'message.send',
      clientId: 'k{n}',
      text,
    })),
    await storm(town, alone, 'reactions of as many to one message, a transaction for each', react),
    await storm(town, server, 'the same, gathered', react),
  ]);
  await Promise.all([server.stop(), alone.stop()]);
  await town.end();
  const beside = (rate: number) => ({ ratio: rate / messages!.rate });
  return [toRow(messages!, { ratio: 1 }), toRow(apart!, beside(apart!.rate)), toRow(together!, beside(together!.rate))];
}
