/** Checks a poll that a send carries. */
import { invalid } from '../../errors.ts';
import { requireLine } from '../../http/input/line-text.ts';
import { readTime } from '../../http/input/times.ts';
import type { DraftParts } from '../state/message-draft.ts';

export interface PollBounds {
  /** Code points. */
  readonly questionMax: number;
  readonly optionMax: number;
}

export interface CheckedPoll {
  readonly question: string;
  /** All different. */
  readonly options: readonly string[];
  readonly multiple: boolean;
  readonly anonymous: boolean;
  /** Whether it is in the future is up to Postgres' clock. */
  readonly closesAt: Date | undefined;
}

/** @returns the texts as they are judged and stored. @throws Failure `invalid`, `too_large` */
export function checkPoll(poll: NonNullable<DraftParts['poll']>, { questionMax, optionMax }: PollBounds): CheckedPoll {
  const { multiple = false, anonymous = false } = poll;
  const question = requireLine(poll.question, '/poll/question', { max: questionMax, tooLong: 'too_large' });
  const options = poll.options.map((option, index) =>
    requireLine(option, `/poll/options/${index}`, { max: optionMax, tooLong: 'too_large' }),
  );
  const repeated = options.findIndex((option, index) => options.indexOf(option) !== index);
  if (repeated !== -1) throw invalid(`/poll/options/${repeated}`, 'is there twice');
  const closesAt = poll.closesAt === undefined ? undefined : readTime(poll.closesAt, '/poll/closesAt');
  return { question, options, multiple, anonymous, closesAt };
}
