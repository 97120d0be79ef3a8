import { expect, test } from 'vitest';
import { createDerived, createSource } from './live-store.ts';

const tick = () => new Promise((resolve) => setTimeout(resolve));

test('changes of one tick are told once, and none after the listener has stopped', async () => {
  const source = createSource(0);
  const heard: number[] = [];
  const stop = source.subscribe((value) => heard.push(value));
  source.set(1);
  source.set(2);
  await tick();
  source.set(3);
  stop();
  await tick();
  expect(heard).toEqual([2]);
});

test('a derived value is made once for each change, and an equal one keeps its reference', async () => {
  let made = 0;
  const source = createSource({ rooms: ['a', 'b'], other: 1 });
  const derived = createDerived([source], ({ rooms }) => {
    made += 1;
    return rooms.map((room) => room.toUpperCase());
  });
  const heard: unknown[] = [];
  derived.subscribe((value) => heard.push(value));
  const before = derived.get();
  expect([derived.get() === before, made]).toEqual([true, 1]);
  source.set({ rooms: ['a', 'b'], other: 2 });
  await tick();
  expect([derived.get() === before, heard]).toEqual([true, []]);
  source.set({ rooms: ['a'], other: 2 });
  await tick();
  expect(heard).toEqual([['A']]);
});

test('a store knows when somebody begins to listen and when nobody does', () => {
  const uses: string[] = [];
  const use = { onUse: () => uses.push('use'), onIdle: () => uses.push('idle') };
  const derived = createDerived([createSource(1)], (value) => value, use);
  const stops = [derived.subscribe(() => {}), derived.subscribe(() => {})];
  for (const stop of stops) stop();
  stops[0]!();
  expect(uses).toEqual(['use', 'idle']);
});
