import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeEnvironment } from '../harness/node-environment.ts';
import { startParley } from '../harness/parley-process.ts';
import { connect, createRoom, mustCall, signUp } from '../harness/test-client.ts';

const run = promisify(execFile);
const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'parley-embedded-'));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const settings = () => ({
  PARLEY_DATABASE_EMBEDDED_DIR: dir,
  PARLEY_LIMITS_MESSAGES_PER_SECOND: '1000',
  PARLEY_LIMITS_MESSAGES_BURST: '1000',
  PARLEY_LIMITS_FRAMES_PER_SECOND: '1000',
  PARLEY_LIMITS_FRAMES_BURST: '1000',
});

test('a kill -9 in the middle of sends loses no acked message and repeats none', async () => {
  const first = await startParley({ role: 'all', settings: settings() });
  const ana = await signUp(first.url);
  expect((await ana.call('GET', '/v1/users/me')).body.role).toBe('admin');
  const room = await createRoom([ana]);
  const socket = await connect(first.url, ana);
  const acked = new Map<string, number>();
  const unanswered: { clientId: string; text: string }[] = [];
  let killed: Promise<void> | undefined;
  await Promise.all(
    Array.from({ length: 400 }, async (_, n) => {
      const draft = { clientId: `key-${n}`, text: `message ${n}` };
      const answer = await socket.say(room, draft.text, draft.clientId).catch(() => undefined);
      if (answer?.type !== 'ack') {
        unanswered.push(draft);
        return;
      }
      acked.set(draft.clientId, answer.seq!);
      if (acked.size === 100) killed = first.kill();
    }),
  );
  await killed;
  expect(acked.size).toBeGreaterThanOrEqual(100);

  const second = await startParley({ role: 'all', settings: settings() });
  const back = ana.at(second.url);
  const again = await connect(second.url, back);
  for (const { clientId, text } of unanswered) {
    const answer = await again.say(room, text, clientId);
    expect(answer.type).toBe('ack');
    acked.set(clientId, answer.seq!);
  }
  const stored: { seq: number; clientId: string }[] = [];
  for (let after = 0; ; ) {
    const page = (await mustCall(back, 'GET', `/v1/rooms/${room}/messages?after=${after}&limit=100`)) as unknown as {
      messages: { seq: number; clientId: string }[];
      hasMore: boolean;
    };
    stored.push(...page.messages);
    if (!page.hasMore) break;
    after = stored.at(-1)!.seq;
  }
  expect(stored).toHaveLength(400);
  expect(new Map(stored.map((each) => [each.clientId, each.seq]))).toEqual(acked);
  expect(stored.map((each) => each.seq)).toEqual(stored.map((_, index) => stored[0]!.seq + index));
  expect(await second.stop()).toBe(0);
});

test('a second start on the same folder ends with one clear line', async () => {
  const first = await startParley({ role: 'all', settings: settings() });
  const second = run(process.execPath, [entry], {
    env: { ...nodeEnvironment, ...settings(), PORT: '0', PARLEY_PROCESSING_PORT: '0' },
  });
  await expect(second).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^parley: .*(in use|already).*\n$/),
  });
  expect(await first.stop()).toBe(0);
});
