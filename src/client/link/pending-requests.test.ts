import { expect, test } from 'vitest';
import { createPendingRequests } from './pending-requests.ts';

/** A request and the id that it was sent under. */
function addTo(requests: ReturnType<typeof createPendingRequests>, timeoutMs = 60_000) {
  let id = '';
  const answer = requests.add((sent) => {
    id = sent;
  }, timeoutMs);
  return { id, answer };
}

test('each answer goes to the request with its id', async () => {
  const requests = createPendingRequests();
  const [first, second] = [addTo(requests), addTo(requests)];
  expect(requests.settle({ type: 'ack', id: second.id, seq: 2 })).toBe(true);
  expect(requests.settle({ type: 'error', id: first.id, code: 'muted', message: 'no' })).toBe(true);
  expect(await second.answer).toMatchObject({ seq: 2 });
  await expect(first.answer).rejects.toMatchObject({ code: 'muted' });
});

test('a frame that answers nothing is left to others', () => {
  const requests = createPendingRequests();
  const { id, answer } = addTo(requests);
  expect(requests.settle({ type: 'typing', id })).toBe(false);
  expect(requests.settle({ type: 'ack', id: 'another' })).toBe(false);
  expect(requests.settle({ type: 'ack', id })).toBe(true);
  expect(requests.settle({ type: 'ack', id })).toBe(false);
  return answer;
});

test('requests fail with offline when time runs out or the connection is lost', async () => {
  const requests = createPendingRequests();
  await expect(addTo(requests, 1).answer).rejects.toMatchObject({ code: 'offline' });
  const { answer } = addTo(requests);
  requests.failAll();
  await expect(answer).rejects.toMatchObject({ code: 'offline' });
});
