/** Refusals in words that a person understands. */
import { ClientError } from '../../client/parley-client.ts';

const words: Readonly<Record<string, string>> = {
  offline: 'The server cannot be reached.',
  muted: 'You are muted in this room.',
  slow_mode: 'This room is in slow mode.',
  rate_limited: 'That was too fast.',
  too_large: 'That is too long.',
  not_found: 'That is no longer there.',
};

/** A refusal in words. */
export function explainRefusal(error: unknown): string {
  if (!(error instanceof ClientError)) return 'Something went wrong.';
  if (error.code === 'message_blocked') return explainBlock(error);
  const wait = error.retryAfterMs === undefined ? '' : ` Try again in ${Math.ceil(error.retryAfterMs / 1000)} s.`;
  return `${words[error.code] ?? `${error.message[0]?.toUpperCase() ?? ''}${error.message.slice(1)}.`}${wait}`;
}

function explainBlock({ details }: ClientError): string {
  const labels = (details.labels ?? []) as readonly { name: string; matched: string }[];
  const reasons = labels.map(({ name, matched }) =>
    matched && name !== 'test' ? `${name} “${matched.slice(0, 40)}”` : name,
  );
  return `Blocked by moderation${reasons.length > 0 ? `: ${[...new Set(reasons)].join(', ')}` : ''}.`;
}
