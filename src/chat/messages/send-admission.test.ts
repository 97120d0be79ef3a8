import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { checkedDraft, roomFeed } from '../../../test/harness/room-fixture.ts';
import type { Feed } from '../../realtime/feed/feed.ts';
import type { RoomState } from '../state/room-state.ts';
import { createSendAdmission, type Sender } from './send-admission.ts';
import { SendOrder } from './send-order.ts';

const ben: Sender = { userId: 'ben', role: 'user', sessionId: undefined };

interface Room {
  /** In memory; undefined: it has to be loaded. */
  readonly loaded?: Feed<RoomState> | undefined;
  /** At its head, read from the log. */
  readonly head?: Feed<RoomState>;
  /** How long reading takes. */
  readonly readMs?: number;
}

function startAdmission({ loaded, head = roomFeed(), readMs = 0 }: Room, admissionMs = 60_000) {
  const read = async () => {
    await pause(readMs);
    return head;
  };
  return createSendAdmission({
    loadedFeed: () => loaded,
    findFeed: async () => loaded ?? read(),
    follow: read,
    contact: { requireConversation: vi.fn() },
    repository: { find: async () => undefined, findThread: async () => undefined },
    nowMs: () => 0,
    epoch: () => 'log',
    admissionMs,
  });
}

function origin(isOpen = () => true) {
  return { order: new SendOrder(), isOpen };
}

test('a member may post as of the position that memory holds', async () => {
  const loaded = roomFeed();
  const { admit } = startAdmission({ loaded });
  expect(await admit(ben, checkedDraft(), origin())).toMatchObject({ messageId: 'message', allowedAt: 5, actor: ben });
});

test('a refusal by memory is checked against the log before it counts', async () => {
  const loaded = roomFeed();
  loaded.state.members.delete('ben');
  const { admit } = startAdmission({ loaded });
  const admitted = await admit(ben, checkedDraft(), origin());
  expect(admitted.feed).not.toBe(loaded);
  const stranger: Sender = { ...ben, userId: 'stranger' };
  await expect(admit(stranger, checkedDraft(), origin())).rejects.toMatchObject({ code: 'not_found' });
});

test('rights gained during a slow check do not count: the send is allowed as of what was known before', async () => {
  const loaded = roomFeed();
  loaded.state.members.delete('ben');
  loaded.position = 3;
  const slow = startAdmission({ loaded, readMs: 20 }, 10);
  expect(await slow.admit(ben, checkedDraft(), origin())).toMatchObject({ allowedAt: 3 });
  const quick = startAdmission({ loaded }, 60_000);
  expect(await quick.admit(ben, checkedDraft(), origin())).toMatchObject({ allowedAt: 5 });
});

test('a close that arrives before the room is read refuses the send, and every later send of the connection', async () => {
  let isOpen = true;
  const head = roomFeed();
  const { admit } = createSendAdmission({
    loadedFeed: () => undefined,
    // The close is queued in the event loop when the room has been read, and processed one tick later.
    findFeed: async () => {
      setImmediate(() => {
        isOpen = false;
      });
      return head;
    },
    follow: async () => head,
    contact: { requireConversation: vi.fn() },
    repository: { find: async () => undefined, findThread: async () => undefined },
    nowMs: () => 0,
    epoch: () => 'log',
    admissionMs: 60_000,
  });
  const gone = origin(() => isOpen);
  await expect(admit(ben, checkedDraft(), gone)).rejects.toMatchObject({ code: 'unavailable' });
  await expect(gone.order.enter('room').untilFirst()).rejects.toMatchObject({ code: 'unavailable' });
});

test('a reply to a message that is not in the room is refused with the field', async () => {
  const { admit } = startAdmission({ loaded: roomFeed() });
  await expect(admit(ben, checkedDraft({ replyTo: 'elsewhere' }), origin())).rejects.toMatchObject({
    code: 'not_found',
    errors: [{ path: '/replyTo' }],
  });
});
