/** Lessons that the engine learns from decisions: listed and revoked. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mustCall, type TestUser } from '../harness/test-client.ts';
import { borrowTown, openSquare, report, say, type Town } from './moderation-town.ts';

let town: Town;

beforeAll(async () => {
  town = await borrowTown();
});
afterAll(() => town.end());

interface Lesson {
  readonly id: number;
  readonly label: string;
  readonly moderatorId: string;
  readonly moderator: { readonly id: string } | null;
  readonly messageId: string;
}

const lessonsOf = async (staff: TestUser, query: string) =>
  (await mustCall(staff, 'GET', `/v1/moderation/lessons?${query}`)).items as unknown as Lesson[];

/** Sends all texts before the first decision: a lesson from one would block the next. @returns the messages, in order */
async function teach(moderator: TestUser, square: Awaited<ReturnType<typeof openSquare>>, texts: readonly string[]) {
  const ids: string[] = [];
  for (const text of texts) ids.push((await say(square.author, square.roomId, text)).id);
  for (const id of ids) {
    const entry = await report(square.reader, square.roomId, id);
    await mustCall(moderator, 'POST', `/v1/moderation/queue/${entry}`, { decision: 'remove' });
  }
  return ids;
}

/** Engines learn within seconds. */

/** What the engine says of a text: its version and the score. */
async function judge(text: string): Promise<{ engineVersion: string; spamScore: number }> {
  const answer = await fetch(
    `${town.fleet.processings[0]!.processingUrl}/parley.processing.v1.ProcessingService/Check`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text }),
    },
  );
  const { engineVersion, spamScore = 0 } = (await answer.json()) as { engineVersion: string; spamScore?: number };
  return { engineVersion, spamScore };
}

test('staff list who taught what, without the texts, and revoke one lesson or all of a moderator; engines unlearn them', async () => {
  const [admin, wrong, right] = [await town.hire('admin'), await town.hire('moderator'), await town.hire('moderator')];
  const square = await openSquare(town.here);
  const line = 'meet at the allotment gate after lunch';
  const before = await judge(line);
  const texts = [
    'meet at the allotment gate after lunch, bring gloves',
    'we meet after lunch again, the allotment gate is open',
    'who comes to the gate of the allotment, right after lunch?',
    'lunch first, then the allotment: I am at the gate',
    'after lunch I wait at the allotment gate for all of you',
    'the gate of the allotment at two, after lunch as ever',
  ];
  const taught = await teach(wrong, square, texts);
  const [kept] = await teach(right, square, ['a bag of onions for whoever wants it']);
  const teachers = [wrong.id, right.id];
  const taughtHere = async () =>
    (await lessonsOf(admin, 'limit=100')).filter(({ moderatorId }) => teachers.includes(moderatorId));
  const all = await taughtHere();
  expect(all.map(({ messageId }) => messageId)).toEqual([kept, ...taught.toReversed()]);
  expect(all[0]).toMatchObject({ label: 'spam', moderatorId: right.id, moderator: { id: right.id } });
  expect(JSON.stringify(all)).not.toMatch(/allotment|onions/);
  await expect.poll(async () => (await judge(line)).spamScore).toBeGreaterThan(before.spamScore);

  const one = all.at(-1)!;
  await mustCall(admin, 'DELETE', `/v1/moderation/lessons/${one.id}`);
  expect((await admin.call('DELETE', `/v1/moderation/lessons/${one.id}`)).status).toBe(404);
  expect((await lessonsOf(admin, `moderatorId=${wrong.id}&limit=100`)).length).toBe(5);
  const rest = await mustCall(admin.at(town.there), 'DELETE', `/v1/moderation/lessons?moderatorId=${wrong.id}`);
  expect(rest).toEqual({ takenBack: 5 });
  expect(await mustCall(admin, 'DELETE', `/v1/moderation/lessons?moderatorId=${wrong.id}`)).toEqual({ takenBack: 0 });
  expect((await taughtHere()).map(({ moderatorId }) => moderatorId)).toEqual([right.id]);
  // The score is back to that of an untaught engine, apart from the one lesson that remains.
  await expect.poll(async () => Math.abs((await judge(line)).spamScore - before.spamScore)).toBeLessThan(0.05);
  const { items } = await mustCall(admin, 'GET', '/v1/moderation/audit?limit=2');
  expect(items).toMatchObject([
    { action: 'lesson.takeBack', actor: { id: admin.id }, targetId: wrong.id, details: { lessons: 5 } },
    { action: 'lesson.takeBack', actor: { id: admin.id }, details: { lessons: 1, lessonId: one.id } },
  ]);
});

test('lessons page by cursor and are revoked since a time; only staff revoke, and only with a filter', async () => {
  const [admin, moderator] = [await town.hire('admin'), await town.hire('moderator')];
  const square = await openSquare(town.here);
  const mine = `moderatorId=${moderator.id}`;
  await teach(moderator, square, ['first of three', 'second of three', 'third of three']);
  await expect.poll(async () => (await lessonsOf(admin, mine)).length).toBe(3);
  const page = await mustCall(admin, 'GET', `/v1/moderation/lessons?${mine}&limit=2`);
  const more = await mustCall(
    admin,
    'GET',
    `/v1/moderation/lessons?${mine}&limit=2&cursor=${page.nextCursor as string}`,
  );
  expect([page.items!.length, more.items!.length, more.nextCursor]).toEqual([2, 1, null]);
  const attempts = [
    await square.owner.call('GET', '/v1/moderation/lessons'),
    await square.owner.call('DELETE', `/v1/moderation/lessons?${mine}`),
    await admin.call('DELETE', '/v1/moderation/lessons'),
    await admin.call('DELETE', '/v1/moderation/lessons?since=0000-01-01T00:00:00Z'),
    await admin.call('DELETE', '/v1/moderation/lessons/0'),
  ];
  expect(attempts.map(({ status }) => status)).toEqual([403, 403, 400, 400, 400]);
  const since = encodeURIComponent(String(page.items![0]!.createdAt));
  expect(await mustCall(admin, 'DELETE', `/v1/moderation/lessons?${mine}&since=${since}`)).toEqual({ takenBack: 1 });
  expect((await lessonsOf(admin, mine)).length).toBe(2);
});

test('reversing a decision also revokes the lesson of the first one', async () => {
  const [admin, moderator] = [await town.hire('admin'), await town.hire('moderator')];
  const square = await openSquare(town.here);
  const { id } = await say(square.author, square.roomId, 'seeds for swapping, come by');
  const entry = await report(square.reader, square.roomId, id);
  await mustCall(moderator, 'POST', `/v1/moderation/queue/${entry}`, { decision: 'remove' });
  const about = async () =>
    (await lessonsOf(admin, 'limit=100'))
      .filter(({ messageId }) => messageId === id)
      .map(({ label, moderatorId }) => [label, moderatorId]);
  await expect.poll(about).toEqual([['spam', moderator.id]]);
  await mustCall(admin, 'POST', `/v1/moderation/queue/${entry}`, { decision: 'approve' });
  await expect.poll(about).toEqual([['ham', admin.id]]);
});
