import { expect, test } from 'vitest';
import type { LogNow } from './log-row.ts';
import type { LogMemory } from './log-witnesses.ts';
import { createOwnWitness } from './own-witness.ts';

const log = { rowId: 'row', database: 'database' } as LogNow;
const event = (seq: number) => ({ roomId: 'room', seq, atMs: seq });

function startWitness(isCounted: () => boolean = () => true) {
  const kept: LogMemory[] = [];
  const own = createOwnWitness({
    witnesses: { register: async () => {}, beat: async () => isCounted(), end: async () => {} },
    memories: { keep: (memory) => kept.push(memory) },
  });
  return { own, kept };
}

test('an instance remembers its newest 32 commits, and writes each change down', async () => {
  const { own, kept } = startWitness();
  await own.register(log);
  for (let seq = 1; seq <= 40; seq++) own.remember(event(seq));
  expect(own.memory()?.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 32 }, (_, at) => at + 9));
  expect(kept).toHaveLength(41);
});

test('a beat that was counted is remembered, and one that was not is not', async () => {
  let isCounted = true;
  const { own } = startWitness(() => isCounted);
  await own.register(log);
  expect(own.memory()?.beat).toBe(0);
  expect(await own.beat('epoch')).toBe(true);
  expect(own.memory()?.beat).toBe(1);
  isCounted = false;
  expect(await own.beat('epoch')).toBe(false);
  expect(own.memory()?.beat).toBe(1);
});

test('registering again counts the row up and forgets the commits, which were of another log', async () => {
  const { own } = startWitness();
  await own.register(log);
  own.remember(event(1));
  await own.register({ ...log, rowId: 'new row' });
  expect(own.memory()).toMatchObject({ logId: 'new row', beat: 1, events: [] });
});
