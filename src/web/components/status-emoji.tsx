/** The emoji of a person's custom status, beside their name. */
import type { CustomStatus } from '../../client/parley-client.ts';

export function StatusEmoji({ status }: { status: CustomStatus | null | undefined }) {
  if (!status || (status.expiresAt !== null && Date.parse(status.expiresAt) <= Date.now())) return null;
  const { emoji, text } = status;
  return (
    <span class="status" title={text ?? ''}>
      <span aria-hidden={text !== null}>{emoji ?? '💬'}</span>
      {text && <span class="unseen">{text}</span>}
    </span>
  );
}
