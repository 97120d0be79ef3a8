import pino from 'pino';
import type { Histogram } from 'prom-client';
import { expect, test, vi } from 'vitest';
import { queuedSend, roomFeed } from '../../../test/harness/room-fixture.ts';
import type { AppendOutcome } from './append-statement.ts';
import { createBatchCommit } from './batch-commit.ts';
import type { CommitConnection } from './commit-connection.ts';
import type { QueuedSend } from './queued-send.ts';
import type { Portion } from './room-queues.ts';

const stored: AppendOutcome = {
  atMs: 1,
  stale: false,
  replaced: false,
  orphaned: undefined,
  repeated: [],
  stored: undefined,
};

/** A commit whose statements answer or fail like this, one after another. */
function startCommit(
  answers: (Partial<AppendOutcome> | Error)[],
  refuses: (send: QueuedSend) => boolean = () => false,
) {
  const run = vi.fn(async () => {
    const answer = answers.shift() ?? {};
    if (answer instanceof Error) throw answer;
    return { ...stored, ...answer };
  });
  const queues = { release: vi.fn(), putBack: vi.fn() };
  const settlement = { settle: vi.fn<(portions: readonly Portion[]) => void>() };
  const recovery = { recover: vi.fn(async (): Promise<readonly (readonly Portion[])[]> => []) };
  const revocations = { horizon: () => ({ xmin: '0', knownIds: [] }), sync: vi.fn(async () => {}) };
  const histogram = { observe: () => {} } as unknown as Histogram;
  const commit = createBatchCommit({
    ...{ queues, settlement, recovery, revocations },
    authority: { allow: (_feed, send) => !refuses(send) },
    contended: { has: () => false },
    mailJobs: { missing: () => [], added: () => {} },
    clock: { nowMs: () => 0, adjust: () => {} },
    epoch: { epoch: () => '', check: vi.fn(), suspect: vi.fn() },
    metrics: { batches: histogram, commitSeconds: histogram },
    logger: pino({ level: 'silent' }),
    settings: { mailDelayMs: undefined, lockTimeoutMs: undefined, previews: false },
  });
  const connection = { run } as unknown as CommitConnection;
  return {
    commit: (...portions: Portion[]) => commit(connection, portions),
    run,
    queues,
    settlement,
    recovery,
    revocations,
  };
}

function portion(roomId: string, ...clientIds: string[]): Portion {
  const feed = roomFeed(roomId);
  const sends = clientIds.map((clientId) => queuedSend(feed, { clientId }).send);
  return { queue: { feed, items: [], busy: true, ready: false }, sends };
}

test('a batch is stored in the order of its rooms, each numbered from the seq after its position', async () => {
  const { commit, settlement } = startCommit([]);
  await commit(portion('b', '1', '2'), portion('a', '3'));
  const [portions] = settlement.settle.mock.calls[0]!;
  expect(portions.map(({ queue, sends }) => [queue.feed.roomId, sends.map(({ seq }) => seq)])).toEqual([
    ['a', [6]],
    ['b', [6, 7]],
  ]);
});

test('a send that is refused takes no seq, and a room without other sends is released', async () => {
  const { commit, settlement, queues } = startCommit([], ({ clientId }) => clientId === 'bad');
  const refused = portion('a', 'bad');
  await commit(refused, portion('b', 'bad', 'good'));
  expect(queues.release).toHaveBeenCalledExactlyOnceWith(refused.queue);
  const [portions] = settlement.settle.mock.calls[0]!;
  expect(portions.flatMap(({ sends }) => sends.map(({ clientId, seq }) => [clientId, seq]))).toEqual([['good', 6]]);
});

test('if a login has ended that this instance does not know of, it reads on and tries again', async () => {
  const { commit, queues, revocations, settlement } = startCommit([{ stale: true }]);
  const room = portion('a', '1');
  await commit(room);
  expect(revocations.sync).toHaveBeenCalledOnce();
  expect(queues.putBack).toHaveBeenCalledExactlyOnceWith(room.queue, room.sends);
  expect(settlement.settle).not.toHaveBeenCalled();
});

test('a taken seq or key repeats the batch with the careful statement', async () => {
  const taken = Object.assign(new Error(), { code: '23505', constraint_name: 'events_client_id' });
  const { commit, run, settlement, recovery } = startCommit([taken]);
  await commit(portion('a', '1'));
  expect(run).toHaveBeenCalledTimes(2);
  expect(settlement.settle).toHaveBeenCalledOnce();
  expect(recovery.recover).not.toHaveBeenCalled();
});

test('the parts that recovery returns are committed one after another', async () => {
  const { commit, recovery, settlement } = startCommit([new Error('refused')]);
  const [first, second] = [portion('a', '1'), portion('b', '2')];
  recovery.recover.mockResolvedValueOnce([[first], [second]]);
  await commit(first, second);
  expect(settlement.settle.mock.calls.map(([portions]) => portions.map(({ queue }) => queue.feed.roomId))).toEqual([
    ['a'],
    ['b'],
  ]);
});
