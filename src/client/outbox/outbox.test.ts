import { expect, test } from 'vitest';
import { ParleyError } from '../parley-error.ts';
import { createOutbox, type OutboxMessage } from './outbox.ts';

const message = (clientId: string, roomId = 'r'): OutboxMessage => ({ clientId, roomId, text: clientId });
const sent = (seq: number) => ({ messageId: `m${seq}`, seq, createdAt: '' });

test('a message that could not be sent is sent again with the same key after a reconnect', async () => {
  const tries: string[] = [];
  let online = false;
  const outbox = createOutbox({
    deliver: async ({ clientId }) => {
      tries.push(clientId);
      if (!online) throw new ParleyError('offline', 'no connection');
      return sent(tries.length);
    },
  });
  const first = outbox.send(message('a'));
  const second = outbox.send(message('b'));
  await expect.poll(() => tries).toEqual(['a']);
  online = true;
  outbox.flush();
  expect([(await first).seq, (await second).seq]).toEqual([2, 3]);
  expect(tries).toEqual(['a', 'a', 'b']);
  expect(outbox.waiting()).toBe(0);
});

test('a refused message does not hold up the next one', async () => {
  const outbox = createOutbox({
    deliver: async ({ clientId }) => {
      if (clientId === 'bad') throw new ParleyError('message_blocked', 'refused');
      return sent(1);
    },
  });
  await expect(outbox.send(message('bad'))).rejects.toMatchObject({ code: 'message_blocked' });
  expect((await outbox.send(message('good'))).seq).toBe(1);
});

test('a send with an unknown outcome is repeated with the same key until it is known', async () => {
  let tries = 0;
  const outbox = createOutbox({
    deliver: async () => {
      tries += 1;
      if (tries < 3) throw new ParleyError('outcome_unknown', 'who knows', { retryAfterMs: 1 });
      return sent(7);
    },
  });
  expect((await outbox.send(message('x'))).seq).toBe(7);
  expect(tries).toBe(3);
});

test('a room whose sends fail does not hold up other rooms', async () => {
  const outbox = createOutbox({
    deliver: async ({ roomId }) => {
      if (roomId === 'stuck') throw new ParleyError('offline', 'no');
      return sent(1);
    },
  });
  void outbox.send(message('a', 'stuck'));
  expect((await outbox.send(message('b', 'free'))).seq).toBe(1);
  expect(outbox.waiting()).toBe(1);
});
