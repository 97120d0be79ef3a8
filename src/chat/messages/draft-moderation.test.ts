import { expect, test, vi } from 'vitest';
import { checkedDraft } from '../../../test/harness/room-fixture.ts';
import { type FallbackMode, type Judge, NoVerdict, type Verdict } from '../../processing/client/processing-client.ts';
import type { SendOutcome } from '../state/message-draft.ts';
import { createDraftModeration } from './draft-moderation.ts';

const allowed = { outcome: 'allow', html: '<p>hello</p>' } as Verdict;
const first: SendOutcome = { messageId: 'first', seq: 7, atMs: 1, duplicate: true };

function startModeration({
  mode,
  isJudged = false,
  isWaiting = false,
  isRepeat = false,
}: {
  mode: FallbackMode;
  isJudged?: boolean;
  isWaiting?: boolean;
  isRepeat?: boolean;
}) {
  const hold = vi.fn(async () => ({ messageId: 'message', atMs: 1, duplicate: false }));
  const judge = vi.fn<Judge>(async () => {
    if (!isJudged) throw new NoVerdict(mode, undefined);
    return allowed;
  });
  const moderation = createDraftModeration({
    judge,
    records: { find: () => undefined },
    unmoderated: { hold, isWaiting: async () => isWaiting },
    findFirstAnswer: async () => (isRepeat ? first : undefined),
    mode,
  });
  return { answer: () => moderation.judge(checkedDraft()), hold, judge };
}

test('a verdict in time is the answer in every mode', async () => {
  for (const mode of ['local', 'refuse', 'pending', 'open'] as const) {
    const { answer, hold } = startModeration({ mode, isJudged: true });
    expect(await answer()).toBe(allowed);
    expect(hold).not.toHaveBeenCalled();
  }
});

test('refuse: a draft without a verdict is refused', async () => {
  const { answer, hold } = startModeration({ mode: 'refuse' });
  await expect(answer()).rejects.toBeInstanceOf(NoVerdict);
  expect(hold).not.toHaveBeenCalled();
});

test('pending: a draft without a verdict is kept, and has no seq yet', async () => {
  const { answer, hold } = startModeration({ mode: 'pending' });
  expect(await answer()).toMatchObject({ outcome: 'answered', answer: { seq: 0, pending: true, duplicate: false } });
  expect(hold).toHaveBeenCalledExactlyOnceWith(checkedDraft(), 'pending');
});

test('pending: a draft waits behind an earlier one of its author, and is not judged yet', async () => {
  const { answer, judge } = startModeration({ mode: 'pending', isJudged: true, isWaiting: true });
  expect(await answer()).toMatchObject({ outcome: 'answered', answer: { pending: true } });
  expect(judge).not.toHaveBeenCalled();
});

test('open: a draft without a verdict is kept and delivered as plain text', async () => {
  const { answer, hold } = startModeration({ mode: 'open' });
  expect(await answer()).toMatchObject({ outcome: 'allow', html: '<p>hello</p>\n', engineVersion: 'none' });
  expect(hold).toHaveBeenCalledExactlyOnceWith(checkedDraft(), 'open');
});

test.each(['pending', 'open'] as const)('%s: a retry of a stored message gets the first answer', async (mode) => {
  const { answer, hold } = startModeration({ mode, isRepeat: true });
  expect(await answer()).toEqual({ outcome: 'answered', answer: first });
  expect(hold).not.toHaveBeenCalled();
});
