import { expect, test } from 'vitest';
import { roomFeed } from '../../../test/harness/room-fixture.ts';
import type { Verdict } from '../../processing/client/processing-client.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { ModeratedDraft } from '../state/message-draft.ts';
import type { RoomState } from '../state/room-state.ts';
import { createMessageService, type MessageServiceOptions } from './message-service.ts';
import { SendOrder } from './send-order.ts';

const allowed = { outcome: 'allow', spamScore: 0, labels: [], html: '<p>hi</p>', links: [], mentions: [] };
const ben = { userId: 'ben', role: 'user', sessionId: undefined } as const;

/** A room that is dropped from memory and read again when the test says so. Messages are noted when they enter the room's queue. */
function startService() {
  let inMemory: Feed<RoomState> = roomFeed();
  const queued: string[] = [];
  const { promise: firstVerdict, resolve: judgeFirst } = Promise.withResolvers<Verdict>();
  const { promise: readAgain, resolve: finishReading } = Promise.withResolvers<void>();
  const verdict = { ...allowed, engineVersion: '1' } as Verdict;
  /** As the event log finds it. */
  const currentFeed = (feed: Feed<RoomState>) => (feed === inMemory ? feed : readAgain.then(() => inMemory));
  const service = createMessageService({
    judge: ({ text }: { text: string }) => (text === 'first' ? firstVerdict : Promise.resolve(verdict)),
    profiles: { remembered: (id: string) => ({ id, username: id, displayName: id, avatarUrl: null }) },
    flags: { commit: (_author: unknown, _verdict: unknown, commit: (flag: undefined) => unknown) => commit(undefined) },
    loadedFeed: () => inMemory,
    findFeed: async () => inMemory,
    eventLog: {
      epoch: () => 'log',
      nowMs: () => 0,
      currentFeed,
      append: async ({ feed, text }: ModeratedDraft) => {
        const current = currentFeed(feed);
        if (current !== feed) await current;
        queued.push(text);
        return { messageId: text, seq: queued.length, atMs: 0 };
      },
    },
    settings: { maxLength: 100, admissionMs: 60_000, fallback: 'local' },
  } as unknown as MessageServiceOptions);
  const origin = { order: new SendOrder(), isOpen: () => true };
  return {
    queued,
    say: (text: string) => service.send(ben, { roomId: 'room', clientId: text, text }, origin),
    dropRoom: () => {
      inMemory = roomFeed();
    },
    judgeFirst: () => judgeFirst(verdict),
    finishReading,
  };
}

test('a send whose room left memory while its text was judged is not overtaken by the next send of the connection', async () => {
  const { queued, say, dropRoom, judgeFirst, finishReading } = startService();
  const first = say('first');
  dropRoom();
  const second = say('second');
  judgeFirst();
  // The room is read again only after everything that could overtake had its chance to.
  await new Promise(setImmediate);
  expect(queued).toEqual([]);
  finishReading();
  expect([(await first).seq, (await second).seq]).toEqual([1, 2]);
  expect(queued).toEqual(['first', 'second']);
});
