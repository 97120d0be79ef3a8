import { expect, onTestFinished, test } from 'vitest';
import { createWakeGrace, startProcessPauseDetector } from './process-pause.ts';

function startClock() {
  let nowMs = 0;
  const clock = () => nowMs;
  const detector = startProcessPauseDetector(clock);
  onTestFinished(detector.stop);
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { clock, detector, pass };
}

test('each listener hears of the pauses that are long enough for it, in whichever look finds them', () => {
  const { detector, pass } = startClock();
  const heard: [name: string, pausedMs: number][] = [];
  detector.onPause(1000, (pausedMs) => heard.push(['short', pausedMs]));
  detector.onPause(5000, (pausedMs) => heard.push(['long', pausedMs]));
  pass(1000);
  detector.look();
  expect(heard).toEqual([]);
  pass(2000);
  detector.look();
  expect(heard).toEqual([['short', 2000]]);
  pass(6000);
  detector.look();
  detector.look();
  expect(heard.slice(1)).toEqual([
    ['short', 6000],
    ['long', 6000],
  ]);
});

test('a process is just awake for 100 ms, even if its sockets are read before the timer runs', () => {
  const { clock, detector, pass } = startClock();
  const grace = createWakeGrace(detector, 1000, clock);
  expect(grace.isJustAwake()).toBe(false);
  pass(3000);
  expect(grace.isJustAwake()).toBe(true);
  pass(99);
  expect(grace.isJustAwake()).toBe(true);
  pass(1);
  expect(grace.isJustAwake()).toBe(false);
});

test('a pause that a read finds is not lost for the listeners of writes', () => {
  const { clock, detector, pass } = startClock();
  let pauses = 0;
  detector.onPause(5000, () => {
    pauses += 1;
  });
  const grace = createWakeGrace(detector, 1000, clock);
  pass(6000);
  expect(grace.isJustAwake()).toBe(true);
  expect(pauses).toBe(1);
});
