import pino from 'pino';
import { expect, test, vi } from 'vitest';
import type { Sql } from '../../database/connect.ts';
import { CommitConnection } from './commit-connection.ts';

function startConnection(timeoutMs: number) {
  const clients: { end: ReturnType<typeof vi.fn> }[] = [];
  const open = () => {
    const client = { end: vi.fn(async () => {}) };
    clients.push(client);
    return client as unknown as Sql;
  };
  return { connection: new CommitConnection({ open, timeoutMs, logger: pino({ level: 'silent' }) }), clients };
}

test('statements share one client while it answers', async () => {
  const { connection, clients } = startConnection(60_000);
  expect(await Promise.all([connection.run(async () => 1), connection.run(async () => 2)])).toEqual([1, 2]);
  await expect(connection.run(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  expect(clients).toHaveLength(1);
});

test('a client that does not answer in time is ended and replaced once, and its statements are unknown', async () => {
  const { connection, clients } = startConnection(10);
  const silent = () => new Promise<never>(() => {});
  const answers = await Promise.allSettled([connection.run(silent), connection.run(silent)]);
  expect(answers.map((answer) => answer.status === 'rejected' && answer.reason.code)).toEqual([
    'outcome_unknown',
    'outcome_unknown',
  ]);
  expect(clients.map(({ end }) => end.mock.calls.length)).toEqual([1, 0]);
  await expect(connection.run(async (sql) => sql)).resolves.toBe(clients[1]);
});
