import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { credentials, loadPackageDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { load } from '@grpc/proto-loader';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ParleyProcess, startParley } from '../harness/parley-process.ts';
import { createDatabase, type TestDatabase } from '../harness/test-database.ts';

const run = promisify(execFile);
const gtube = 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X';
const spam =
  'CONGRATULATIONS! You have won a FREE prize of $1000 cash. Call 09061701461 now to claim, text WIN to 80086';

let database: TestDatabase;
let parley: ParleyProcess;
let client: Record<string, (request: unknown, done: (error: ServiceError | null, answer: Answer) => void) => void> & {
  close: () => void;
};

interface Answer {
  verdict: string;
  spamScore: number;
  labels: { name: string; id: string; start: number; end: number; matched: string }[];
  html: string;
  links: { url: string }[];
  mentions: { name: string }[];
  accepted: number;
}

beforeAll(async () => {
  database = await createDatabase();
  parley = await startParley({ role: 'processing', settings: { DATABASE_URL: database.url } });
  const definition = await load('proto/parley/processing/v1/processing.proto', {
    includeDirs: ['proto'],
    enums: String,
    defaults: true,
  });
  const loaded = loadPackageDefinition(definition) as unknown as {
    parley: { processing: { v1: { ProcessingService: new (address: string, secrets: unknown) => typeof client } } };
  };
  client = new loaded.parley.processing.v1.ProcessingService(
    new URL(parley.processingUrl).host,
    credentials.createInsecure(),
  );
});
afterAll(async () => {
  client.close();
  await parley.stop();
  await database.drop();
});

const call = (method: string, request: unknown) =>
  new Promise<Answer>((resolve, reject) =>
    client[method]!(request, (error, answer) => (error ? reject(error) : resolve(answer))),
  );

test('a gRPC client gets verdicts, scores, spans, HTML, links and mentions', async () => {
  const fine = await call('Process', { text: 'see **this**, @ana: https://example.org' });
  expect(fine).toMatchObject({
    verdict: 'VERDICT_ALLOW',
    labels: [],
    links: [{ url: 'https://example.org' }],
    mentions: [{ name: 'ana' }],
  });
  expect(fine.html).toContain('<strong>this</strong>');
  expect((await call('Process', { text: spam })).verdict).toBe('VERDICT_BLOCK');
  const rude = await call('Process', { text: 'what the f.u.c.k is this' });
  expect(rude).toMatchObject({
    verdict: 'VERDICT_FLAG',
    labels: [{ name: 'profanity', start: 9, end: 16, matched: 'f.u.c.k' }],
  });
  expect(await call('Process', { text: `x ${gtube}` })).toMatchObject({
    verdict: 'VERDICT_BLOCK',
    labels: [{ name: 'test', start: 2 }],
  });
});

test('a sender’s record moves the score of the same text and blocks nothing by itself', async () => {
  const text = 'limited offer on garden chairs, write me for the price list today';
  const scores = [];
  for (const sender of [
    { accountAgeSeconds: 90 * 86_400, messagesTotal: 5000 },
    undefined,
    { accountAgeSeconds: 60, blockedLastDay: 2 },
    { accountAgeSeconds: 60, blockedLastDay: 20, reportedLastDay: 9 },
  ])
    scores.push((await call('Check', { text, ...(sender && { sender }) })).spamScore);
  expect(scores).toEqual(scores.toSorted((left, right) => left - right));
  expect(new Set(scores).size).toBe(4);
  const worst = { blockedLastDay: 1000, reportedLastDay: 1000, messagesLastMinute: 100, accountAgeSeconds: 1 };
  const calm = await call('Check', {
    text: 'see you at the allotment after lunch, bring the red spade',
    sender: worst,
  });
  expect(calm.verdict).toBe('VERDICT_ALLOW');
});

test('a text alone is rendered without a verdict, and checked without HTML', async () => {
  expect((await call('Render', { text: '*x* <b>' })).html).toBe('<p><em>x</em> &lt;b&gt;</p>\n');
  expect((await call('Check', { text: gtube })).verdict).toBe('VERDICT_BLOCK');
});

test('a sender’s fourth copy is labelled as a flood, by the caller’s time, and links are judged', async () => {
  const send = (sentAtMs: number) =>
    call('Process', { text: 'who wants to see the photos of our trip', senderId: 'flo', roomId: 'hall', sentAtMs });
  for (const at of [1000, 9000, 17_000]) expect((await send(at)).labels).toEqual([]);
  expect(await send(25_000)).toMatchObject({
    verdict: 'VERDICT_FLAG',
    labels: [{ name: 'flood', id: 'author-copies' }],
  });
  expect((await send(90_000)).labels).toEqual([]);
  expect(await call('Check', { text: 'log in at https://pаypal.com' })).toMatchObject({
    verdict: 'VERDICT_BLOCK',
    labels: [{ name: 'link', id: 'link-homograph', start: 10 }],
  });
});

test('short everyday lines of several people or over hours are not a flood; a raid is', async () => {
  const say = (text: string, senderId: string, roomId: string, sentAtMs: number) =>
    call('Process', { text, senderId, roomId, sentAtMs });
  const lines = ['happy birthday ana!!', 'good morning everyone', 'lunch?', '+1', 'ok', '👍', '大家早上好，节日快乐'];
  for (const [room, text] of lines.entries())
    for (let at = 0; at < 8; at++)
      expect((await say(text, `p${at}`, `small-${room}`, 1000 + at * 3000)).labels, text).toEqual([]);
  for (let hour = 0; hour < 12; hour++)
    expect((await say('lunch, anyone?', `q${hour % 3}`, 'canteen', 1000 + hour * 3_600_000)).labels).toEqual([]);
  let last: Answer | undefined;
  for (let at = 0; at < 6; at++)
    last = await say('everybody should leave this place now and come over to ours', `r${at}`, 'raided', at * 3000);
  expect(last).toMatchObject({ verdict: 'VERDICT_FLAG', labels: [{ name: 'flood', id: 'room-copies' }] });
});

test('links into a private network are delivered as links', async () => {
  for (const url of [
    'http://localhost:3000/a',
    'http://10.0.0.5/wiki',
    'http://nas.local',
    'http://[::1]:8080/x',
    'http://wiki/x',
  ])
    expect(await call('Process', { text: `the preview runs at ${url} until tonight` })).toMatchObject({
      verdict: 'VERDICT_ALLOW',
      labels: [],
      links: [{ url }],
    });
  expect((await call('Check', { text: 'see http://2130706433/' })).verdict).toBe('VERDICT_BLOCK');
});

test('a malformed call is INVALID_ARGUMENT and names the field', async () => {
  await expect(call('Process', { text: '' })).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringContaining('text'),
  });
  await expect(call('Learn', { examples: [{ text: 'x', label: 'LABEL_SPAM' }] })).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringContaining('moderator_id'),
  });
});

test('buf curl calls it by reflection', async () => {
  const curl = (method: string, data: string) =>
    run('buf', [
      'curl',
      '--http2-prior-knowledge',
      '--protocol',
      'grpc',
      '--data',
      data,
      `${parley.processingUrl}/${method}`,
    ]);
  const { stdout } = await curl('parley.processing.v1.ProcessingService/Process', JSON.stringify({ text: gtube }));
  expect(JSON.parse(stdout)).toMatchObject({ verdict: 'VERDICT_BLOCK' });
  const health = await curl('grpc.health.v1.Health/Check', '{}');
  expect(JSON.parse(health.stdout)).toEqual({ status: 'SERVING' });
});

test('what moderators call spam scores higher on every engine within seconds; ordinary chat does not', async () => {
  const second = await startParley({ role: 'processing', settings: { DATABASE_URL: database.url } });
  const score = async (url: string, text: string) => {
    const answer = await fetch(`${url}/parley.processing.v1.ProcessingService/Check`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text }),
    });
    return ((await answer.json()) as { spamScore?: number }).spamScore ?? 0;
  };
  const wave = (n: number) =>
    `hello dears the moonbeam necklace ritual opened my luck ask the keeper at hall number ${n}`;
  const before = await score(second.processingUrl, wave(99));
  const ordinary = await score(second.processingUrl, 'has anyone tried restarting the network manager?');
  const examples = Array.from({ length: 30 }, (_, n) => ({
    text: wave(n),
    label: 'LABEL_SPAM',
    moderatorId: `m${n % 3}`,
  }));
  await call('Learn', { examples });
  await expect.poll(() => score(second.processingUrl, wave(99))).toBeGreaterThan(Math.max(0.8, before));
  expect(await score(second.processingUrl, 'has anyone tried restarting the network manager?')).toBeLessThan(
    Math.max(0.3, ordinary + 0.1),
  );
  await second.stop();
});

test('what moderators call offensive is flagged once Learn answers', async () => {
  const insult = (n: number) => `plonker, nobody at table ${n} asked for your noodle brained takes`;
  const check = async (text: string) =>
    (await call('Check', { text })) as { outcome?: string; labels?: { name: string }[] };
  expect((await check(insult(99))).labels ?? []).toEqual([]);
  const examples = Array.from({ length: 24 }, (_, n) => ({
    text: insult(n),
    label: 'LABEL_OFFENSIVE',
    moderatorId: `m${n % 3}`,
  }));
  await call('Learn', { examples });
  expect((await check(insult(99))).labels).toMatchObject([{ name: 'toxicity' }]);
});
