import { expect, onTestFinished, test } from 'vitest';
import { queuedSend, roomFeed } from '../../../test/harness/room-fixture.ts';
import { type CommitScheduler, createCommitScheduler } from './commit-scheduler.ts';
import { createRoomQueues, type Portion } from './room-queues.ts';

interface Commit {
  readonly connection: string;
  readonly keys: string[];
  readonly finish: () => void;
  readonly fail: (error: unknown) => void;
}

function startScheduler(connections: string[]) {
  const commits: Commit[] = [];
  const queues = createRoomQueues({ batchMax: 500, perRoomMax: 1000, sendQueueMax: 1000 }, () => scheduler.plan());
  const commit = async (connection: string, portions: readonly Portion[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const keys = portions.flatMap(({ sends }) => sends.map(({ clientId }) => clientId));
    commits.push({ connection, keys, finish: resolve, fail: reject });
    await promise;
    for (const { queue } of portions) queues.release(queue);
  };
  const scheduler: CommitScheduler = createCommitScheduler({ queues, connections, commit });
  onTestFinished(() => {
    queues.stop();
    scheduler.stop();
  });
  const send = (roomId: string, clientId: string) => {
    const feed = roomFeed(roomId);
    const { send: queued, answers } = queuedSend(feed, { clientId });
    queues.push(feed, queued);
    return answers;
  };
  return { commits, send };
}

const keysOf = (commits: readonly Commit[]) => commits.map(({ keys }) => keys);

test('sends of one tick share a batch, and those that arrive during its commit are the next batch', async () => {
  const { commits, send } = startScheduler(['only']);
  send('a', '1');
  send('b', '2');
  await expect.poll(() => keysOf(commits)).toEqual([['1', '2']]);
  send('c', '3');
  send('d', '4');
  commits[0]!.finish();
  await expect
    .poll(() => keysOf(commits))
    .toEqual([
      ['1', '2'],
      ['3', '4'],
    ]);
});

test('another connection starts when the batch on its way is slow', async () => {
  const { commits, send } = startScheduler(['first', 'second']);
  send('a', '1');
  await expect.poll(() => commits.length).toBe(1);
  send('b', '2');
  await expect.poll(() => commits.map(({ connection }) => connection)).toEqual(['first', 'second']);
});

test('another connection starts at once when much is waiting', async () => {
  const { commits, send } = startScheduler(['first', 'second']);
  send('a', '1');
  await expect.poll(() => commits.length).toBe(1);
  for (let room = 0; room < 128; room++) send(`room ${room}`, '2');
  await new Promise(setImmediate);
  expect(commits.map(({ connection }) => connection)).toEqual(['first', 'second']);
});

test('a commit that throws has a bug: its sends get internal, and the connection goes on', async () => {
  const { commits, send } = startScheduler(['only']);
  const answers = send('a', '1');
  await expect.poll(() => commits.length).toBe(1);
  commits[0]!.fail(new Error('a bug'));
  await expect.poll(() => answers).toEqual(['internal']);
  send('a', '2');
  await expect.poll(() => keysOf(commits)).toEqual([['1'], ['2']]);
});
