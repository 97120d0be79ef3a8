import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Single, startSingle } from '../harness/stack.ts';
import { connect, createRoom, signUp } from '../harness/test-client.ts';

let parley: Single;

beforeAll(async () => {
  parley = await startSingle({ PARLEY_REALTIME_QUEUE_BYTES: '256kB', PARLEY_RESUME_MAX_EVENTS: '100000' });
});
afterAll(() => parley.end());

test('a reader that stops reading is closed with 4008 and resumes without a gap; another reader is not delayed', async () => {
  const [ana, ben] = await Promise.all([signUp(parley.url), signUp(parley.url)]);
  const room = await createRoom([ana, ben]);
  const [from, good, stalled] = [
    await connect(parley.url, ana),
    await connect(parley.url, ben),
    await connect(parley.url, ben),
  ];
  stalled.socket.pause();
  const closes = async () =>
    Number(
      /parley_socket_closes_total\{code="4008"\} (\d+)/.exec(
        await (await fetch(`${parley.url}/metrics`)).text(),
      )?.[1] ?? 0,
    );
  // First the kernel's buffers fill, then the queue up to its bound.
  const text = 'A line of ordinary words. '.repeat(290);
  let last = 0;
  for (let round = 0; round < 60 && (await closes()) === 0; round++) {
    const acks = await Promise.all(Array.from({ length: 20 }, (_, n) => from.say(room, `${round}/${n} ${text}`)));
    last = Math.max(...acks.map((ack) => ack.seq!));
  }
  expect(await closes()).toBe(1);
  await good.until((frame) => frame.seq === last);

  stalled.socket.resume();
  await stalled.closed;
  const seen = stalled.events(room).at(-1)?.seq ?? 2;
  expect(seen).toBeLessThan(last);
  const back = await connect(parley.url, ben, { logId: stalled.welcome.logId as string, rooms: { [room]: seen } });
  await back.until((frame) => frame.type === 'resumed');
  const seqs = [...stalled.events(room), ...back.events(room)].map((frame) => frame.seq!);
  expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, at) => seqs[0]! + at));
  expect(seqs.at(-1)).toBe(last);
  expect(good.events(room).map((frame) => frame.seq)).toEqual(Array.from({ length: last - 2 }, (_, at) => at + 3));
});
