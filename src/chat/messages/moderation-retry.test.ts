import pino from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { checkedDraft } from '../../../test/harness/room-fixture.ts';
import { Failure } from '../../errors.ts';
import { startModerationRetry } from './moderation-retry.ts';
import type { Unmoderated } from './moderation-retry-repository.ts';

/** A retry of messages that settle with these errors, or without one. */
function startRetry(errors: readonly unknown[]) {
  const messages = errors.map(
    (_error, at): Unmoderated => ({
      ...checkedDraft({ messageId: String(at) }),
      mode: 'pending',
      authorRole: 'user',
      old: false,
    }),
  );
  const rounds = [messages];
  const repository = {
    claim: async () => rounds.shift() ?? [],
    release: vi.fn(async () => {}),
    remove: vi.fn(async () => {}),
  };
  const tellAuthor = vi.fn();
  const settle = async ({ messageId }: Unmoderated) => {
    const error = errors[Number(messageId)];
    if (error) throw error;
  };
  const verdicts = { settle, tellAuthor };
  const retry = startModerationRetry({ repository, verdicts, logger: pino({ level: 'silent' }), pollMs: 1 });
  onTestFinished(retry.stop);
  return { repository, tellAuthor };
}

test('a settled message is removed; one that may succeed later is released for the next try', async () => {
  const { repository, tellAuthor } = startRetry([
    undefined,
    new Failure('unavailable', 'no verdict'),
    new Error('bug'),
  ]);
  await expect.poll(() => repository.release.mock.calls).toEqual([['1'], ['2']]);
  expect(repository.remove.mock.calls).toEqual([['0']]);
  expect(tellAuthor).not.toHaveBeenCalled();
});

test('a message that can never be delivered is removed, and its author gets a notice', async () => {
  const { repository, tellAuthor } = startRetry([new Failure('muted', 'you are muted')]);
  await expect.poll(() => repository.remove.mock.calls).toEqual([['0']]);
  expect(tellAuthor).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ messageId: '0' }),
    'muted',
    'your message could not be delivered',
    {},
  );
});
