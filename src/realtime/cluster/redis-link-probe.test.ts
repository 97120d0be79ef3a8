import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createRedisLinkProbe } from './redis-link-probe.ts';

function startProbe() {
  const calls: string[] = [];
  let sinceMs = performance.now();
  const probe = createRedisLinkProbe({
    timeoutMs: 20,
    sinceMs: () => sinceMs,
    send: () => calls.push('send'),
    retryUnconfirmed: () => calls.push('retry'),
    onSilent: () => {
      calls.push('silent');
      sinceMs = performance.now();
    },
    onFlowing: () => calls.push('flowing'),
  });
  return { probe, calls };
}

test('a link is up with its first probe, and hints may be missing only after it was torn', () => {
  const { probe, calls } = startProbe();
  expect(probe.isUp()).toBe(false);
  probe.onReturned();
  probe.onReturned();
  expect([probe.isUp(), calls]).toEqual([true, ['flowing']]);
  probe.onBroken();
  probe.onReturned();
  expect(calls).toEqual(['flowing', 'flowing']);
});

test('a silent link is replaced, and the new one gets its time', async () => {
  const { probe, calls } = startProbe();
  probe.onReturned();
  probe.check();
  expect(calls).toEqual(['flowing', 'retry', 'send']);
  await pause(30);
  probe.check();
  expect(probe.isUp()).toBe(false);
  probe.check();
  expect(calls.slice(3)).toEqual(['silent', 'send', 'retry', 'send']);
  probe.onReturned();
  expect([probe.isUp(), calls.at(-1)]).toEqual([true, 'flowing']);
});
