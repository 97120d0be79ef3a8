import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createDevicePresence } from './device-presence.ts';

const graceMs = 15_000;
const device = (userId: string) => ({ user: { userId } });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function start() {
  const changes: unknown[] = [];
  const devices = createDevicePresence({ graceMs, onChange: (userId) => changes.push(devices.of(userId)) });
  return { devices, changes };
}

test('the best device counts, and nothing is told that changes nothing', () => {
  const { devices, changes } = start();
  const [phone, laptop] = [device('ana'), device('ana')];
  devices.add(phone);
  devices.add(laptop);
  devices.set(phone, 'away');
  devices.set(laptop, 'dnd');
  devices.remove(laptop);
  devices.set(laptop, 'online');
  expect(changes).toEqual([
    { status: 'online', leftAtMs: undefined },
    { status: 'dnd', leftAtMs: undefined },
    { status: 'away', leftAtMs: undefined },
  ]);
});

test('the last device leaves for the grace, and one that comes back takes over its status', () => {
  const { devices, changes } = start();
  const first = device('ana');
  devices.add(first);
  devices.set(first, 'dnd');
  devices.remove(first);
  vi.advanceTimersByTime(graceMs - 1);
  const second = device('ana');
  devices.add(second);
  vi.advanceTimersByTime(graceMs * 2);
  expect(devices.of('ana')).toEqual({ status: 'dnd', leftAtMs: undefined });
  devices.remove(second);
  vi.advanceTimersByTime(graceMs - 1);
  expect(devices.of('ana')).toEqual({ status: 'dnd', leftAtMs: expect.any(Number) });
  vi.advanceTimersByTime(1);
  expect(changes.at(-1)).toBeUndefined();
  expect([...devices.userIds()]).toEqual([]);
});

test('a socket that closes without a hello is nobody', () => {
  const { devices, changes } = start();
  devices.remove({ user: undefined });
  devices.remove(device('ana'));
  expect(changes).toEqual([]);
});
