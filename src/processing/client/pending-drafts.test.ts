import { expect, test } from 'vitest';
import { NoVerdict } from './no-verdict.ts';
import { createPendingDrafts, type PendingDraft } from './pending-drafts.ts';
import type { Verdict } from './verdict.ts';

const verdict = { outcome: 'allow' } as Verdict;

function start() {
  const sources: [string, number][] = [];
  const pending = createPendingDrafts('refuse', { onVerdicts: (source, count) => void sources.push([source, count]) });
  const draft = (): { entry: PendingDraft; answer: Promise<Verdict | NoVerdict> } => {
    const { promise, resolve, reject } = Promise.withResolvers<Verdict>();
    const entry: PendingDraft = {
      draft: { key: 'k', text: 'hello', kind: 'message' },
      weight: 5,
      startedMs: performance.now(),
      deadlineAtMs: 0,
      isSettled: false,
      resolve,
      reject,
    };
    return { entry, answer: promise.catch((error: NoVerdict) => error) };
  };
  return { pending, draft, sources };
}

test('the first verdict counts, and is counted once', async () => {
  const { pending, draft, sources } = start();
  const { entry, answer } = draft();
  pending.startRemote([entry], performance.now() + 60_000);
  pending.accept([entry], [verdict], 'remote');
  pending.accept([entry], [{ ...verdict, outcome: 'block' }], 'local');
  pending.refuse([entry], new Error('too late'));
  expect(await answer).toBe(verdict);
  expect(sources).toEqual([['remote', 1]]);
  pending.stop(new NoVerdict('refuse', undefined));
});

test('a draft whose time is up is refused', async () => {
  const { pending, draft, sources } = start();
  const { entry, answer } = draft();
  pending.startRemote([entry], performance.now() + 5);
  expect(await answer).toMatchObject({ mode: 'refuse', code: 'unavailable' });
  expect(sources).toEqual([['none', 1]]);
});

test('the deadline of the local engine replaces that of an instance and counts from the call', async () => {
  const { pending, draft } = start();
  const { entry, answer } = draft();
  pending.startRemote([entry], performance.now() + 5);
  pending.startLocal([entry], 60_000);
  expect(entry.deadlineAtMs).toBe(entry.startedMs + 60_000);
  pending.accept([entry], [verdict], 'local');
  expect(await answer).toBe(verdict);
});

test('stopping refuses what is open', async () => {
  const { pending, draft } = start();
  const [remote, local] = [draft(), draft()];
  pending.startRemote([remote.entry], performance.now() + 60_000);
  pending.startLocal([local.entry], 60_000);
  pending.stop(new NoVerdict('refuse', undefined));
  expect(await Promise.all([remote.answer, local.answer])).toEqual([expect.any(NoVerdict), expect.any(NoVerdict)]);
});
