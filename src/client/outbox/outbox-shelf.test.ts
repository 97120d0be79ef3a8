import 'fake-indexeddb/auto';
import { expect, test } from 'vitest';
import { ParleyError } from '../parley-error.ts';
import { createOutbox, type OutboxMessage, type OutboxNews } from './outbox.ts';
import { openShelf } from './outbox-shelf.ts';

const message = (clientId: string): OutboxMessage => ({ clientId, roomId: 'r', text: clientId, senderId: 'ana' });
const neverMind = () => {};

/** A tab with the outbox of a user on this device. `stored`: what the server has. */
async function openTab(owner: string, server: { stored: string[]; online: boolean }, isSender = () => true) {
  const others: ((news: OutboxNews) => void)[] = [];
  const outbox = createOutbox({
    deliver: async ({ clientId }) => {
      if (!server.online) throw new ParleyError('offline', 'no connection');
      if (clientId === 'bad') throw new ParleyError('message_blocked', 'refused', { labels: ['test'] });
      const duplicate = server.stored.indexOf(clientId);
      if (duplicate < 0) server.stored.push(clientId);
      return { messageId: `m-${clientId}`, seq: server.stored.indexOf(clientId) + 1, createdAt: '' };
    },
    needsShelf: true,
    isSender,
    tell: (news) => {
      for (const other of others) other(news);
    },
  });
  await outbox.open(await openShelf(owner), 'ana');
  return {
    outbox,
    others,
    states: () => outbox.entries().map(({ message: { clientId }, state }) => `${clientId} ${state}`),
  };
}

test('messages written offline are sent once and in order by the tab that is opened after this one was closed', async () => {
  const server = { stored: [] as string[], online: false };
  const closed = await openTab('offline', server);
  for (const clientId of ['a', 'b', 'c']) closed.outbox.send(message(clientId)).catch(neverMind);
  await expect.poll(closed.states).toEqual(['a sending', 'b sending', 'c sending']);
  closed.outbox.stop();
  server.online = true;
  const opened = await openTab('offline', server);
  await expect.poll(opened.states).toEqual(['a stored', 'b stored', 'c stored']);
  expect(server.stored).toEqual(['a', 'b', 'c']);
  expect((await openTab('offline', server)).states()).toEqual([]);
});

test('a refused message stays as failed with its reason, also in the next tab, and is sent again or discarded', async () => {
  const server = { stored: [] as string[], online: true };
  const { outbox } = await openTab('refused', server);
  await expect(outbox.send(message('bad'))).rejects.toMatchObject({ code: 'message_blocked' });
  const next = await openTab('refused', server);
  await expect.poll(next.states).toEqual(['bad failed']);
  expect(next.outbox.entries()[0]!.error).toMatchObject({ code: 'message_blocked', details: { labels: ['test'] } });
  expect(await next.outbox.discard('bad')).toMatchObject({ text: 'bad' });
  expect((await openTab('refused', server)).states()).toEqual([]);
});

test('a tab that does not send leaves it to the other, and hears what became of its message', async () => {
  const server = { stored: [] as string[], online: true };
  const sender = await openTab('two', server);
  const writer = await openTab('two', server, () => false);
  writer.others.push(sender.outbox.hear);
  sender.others.push(writer.outbox.hear);
  expect(await writer.outbox.send(message('w'))).toMatchObject({ messageId: 'm-w', seq: 1 });
  expect(server.stored).toEqual(['w']);
  await expect.poll(writer.states).toEqual(['w stored']);
});

test('another user of the device neither sees nor sends the messages', async () => {
  const server = { stored: [] as string[], online: false };
  const own = await openTab('ana', server);
  own.outbox.send(message('private')).catch(neverMind);
  await expect.poll(own.states).toEqual(['private sending']);
  own.outbox.stop();
  server.online = true;
  expect((await openTab('eve', server)).states()).toEqual([]);
  expect(server.stored).toEqual([]);
});

test('a message that is seen in its room needs no answer any more', async () => {
  const server = { stored: [] as string[], online: false };
  const { outbox, states } = await openTab('seen', server);
  const answer = outbox.send(message('x'));
  await expect.poll(states).toEqual(['x sending']);
  outbox.settle('x', { messageId: 'm-x', seq: 9, createdAt: '' });
  expect(await answer).toMatchObject({ seq: 9 });
  expect(states()).toEqual([]);
  expect((await openTab('seen', server)).states()).toEqual([]);
  outbox.stop();
});
