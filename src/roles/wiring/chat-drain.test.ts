import { expect, test, vi } from 'vitest';
import type { Connection } from '../../realtime/socket/connection.ts';
import { createChatDrain } from './chat-drain.ts';

function connect(count: number) {
  return Array.from({ length: count }, () => ({ send: vi.fn() }) as unknown as Connection);
}

function createDrain(open: readonly Connection[], busy: () => number = () => 0) {
  const eventLog = { drain: vi.fn(async () => {}) };
  const sockets = { open: () => open.values(), openCount: () => open.length, busy };
  return { drain: createChatDrain({ sockets, eventLog, windowMs: 50 }), eventLog };
}

test('every connection is told when to come back, and then ends once', async () => {
  const open = connect(120);
  const { drain } = createDrain(open);
  const ended: Connection[] = [];
  await drain.sendAway(50, (connection) => ended.push(connection));
  for (const { send } of open) {
    const [notice] = vi.mocked(send).mock.calls.flat() as unknown as [{ code: string; retryAfterMs: number }];
    expect(notice.code).toBe('restart');
    expect(notice.retryAfterMs).toBeLessThan(50);
  }
  expect(new Set(ended)).toEqual(new Set(open));
  expect(ended).toHaveLength(open.length);
});

test('an instance is idle when no frame is being handled and the event log is drained', async () => {
  let busy = 3;
  const { drain, eventLog } = createDrain([], () => busy--);
  await drain.idle();
  expect(eventLog.drain).toHaveBeenCalledOnce();
  expect(busy).toBeLessThan(0);
});

test('a drain is for good', () => {
  const { drain } = createDrain([]);
  expect(drain.isDraining()).toBe(false);
  drain.begin();
  expect(drain.isDraining()).toBe(true);
});
