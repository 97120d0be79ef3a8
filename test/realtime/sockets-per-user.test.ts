/** The bound on one user's sockets holds for all instances together. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fleet, startFleet } from '../harness/stack.ts';
import { openSocket, signUp, type TestUser } from '../harness/test-client.ts';

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ chats: 2, processings: 0, settings: { PARLEY_REALTIME_SOCKETS_PER_USER: '6' } });
});
afterAll(() => fleet.end());

type OpenSocket = Awaited<ReturnType<typeof openSocket>>;

/** Sends hello to an instance. @returns the socket and the answer */
async function hello(url: string, user: TestUser): Promise<{ socket: OpenSocket; answer: string }> {
  const socket = await openSocket(url);
  const answer = await socket.ask({ type: 'hello', token: user.accessToken });
  return { socket, answer: answer.type === 'welcome' ? 'welcome' : String(answer.code) };
}

async function openOneByOne(user: TestUser, urls: readonly string[]) {
  const opened: Awaited<ReturnType<typeof hello>>[] = [];
  for (const url of urls) opened.push(await hello(url, user));
  return opened;
}

test('sockets of one user on two instances count together, and make room when they close', async () => {
  const [first, second] = fleet.chats.map(({ url }) => url) as [string, string];
  const ana = await signUp(first);
  // Each instance knows the other one after its first second.
  await expect
    .poll(async () => {
      const opened = await openOneByOne(ana, [first, second, first, second, first, second, first, second]);
      await Promise.all(opened.map(({ socket }) => socket.close()));
      return opened.map(({ answer }) => answer);
    })
    .toEqual([...Array(6).fill('welcome'), 'rate_limited', 'rate_limited']);
  const ben = await signUp(first);
  expect((await hello(second, ben)).answer).toBe('welcome');
});

test('sockets of an instance that was killed stop counting', async () => {
  const [first, second] = fleet.chats as [Fleet['chats'][0], Fleet['chats'][0]];
  const cal = await signUp(first.url);
  await expect
    .poll(async () => {
      const opened = await openOneByOne(cal, Array(7).fill(second.url));
      return opened.at(-1)!.answer;
    })
    .toBe('rate_limited');
  await expect.poll(async () => (await hello(first.url, cal)).answer).toBe('rate_limited');
  await second.kill();
  await expect.poll(async () => (await hello(first.url, cal)).answer).toBe('welcome');
});
