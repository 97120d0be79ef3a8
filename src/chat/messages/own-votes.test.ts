import { expect, test, vi } from 'vitest';
import type { Actor } from '../state/room-state.ts';
import { createOwnVotes } from './own-votes.ts';

const ana: Actor = { userId: 'ana', role: 'user' };
const bytesOf = (...messages: object[]) => Buffer.from(JSON.stringify({ messages, hasMore: false, seq: 7 }));
const poll = { question: 'Tea?', options: ['Yes', 'No'] };

test('a page without polls stays the same bytes, even if a text looks like one', () => {
  const find = vi.fn();
  const page = bytesOf({ id: 'a', text: ',"poll":{"question":"x"}' });
  expect(createOwnVotes(find).inPage(ana, page)).toBe(page);
  expect(find).not.toHaveBeenCalled();
});

test('a page with polls gets the votes of its reader, and the shared bytes stay as they are', async () => {
  const find = vi.fn(async () => new Map([['b', [1]]]));
  const page = bytesOf({ id: 'a', text: 'x' }, { id: 'b', poll }, { id: 'c', poll });
  const before = page.toString();
  const shown = JSON.parse((await createOwnVotes(find).inPage(ana, page)).toString()) as object;
  expect(shown).toEqual({
    messages: [
      { id: 'a', text: 'x' },
      { id: 'b', poll: { ...poll, own: [1] } },
      { id: 'c', poll: { ...poll, own: [] } },
    ],
    hasMore: false,
    seq: 7,
  });
  expect(find.mock.calls).toEqual([['ana', ['b', 'c']]]);
  expect(page.toString()).toBe(before);
});

test('a server has no votes of its own', async () => {
  const page = bytesOf({ id: 'b', poll });
  const own = createOwnVotes(async () => new Map([['b', [1]]]));
  expect(JSON.stringify(JSON.parse((await own.inPage({ userId: 'key', role: 'server' }, page)).toString()))).toBe(
    page.toString(),
  );
});
