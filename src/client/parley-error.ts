/** Why something failed: a refusal by the server, over REST or socket alike, or no answer at all. */

/** Repeating the same request with the same key may succeed. */
const retryable = new Set(['outcome_unknown', 'unavailable', 'rate_limited', 'slow_mode', 'internal']);

export class ParleyError extends Error {
  /** The contract's code, or `offline` when the server could not be reached, or `aborted` when the caller gave up. */
  readonly code: string;
  /** Wait this long before the next attempt, as the server asked. */
  readonly retryAfterMs: number | undefined;
  /** Labels of moderation, errors of fields and the like. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = 'ParleyError';
    this.code = code;
    this.details = details;
    this.retryAfterMs = typeof details.retryAfterMs === 'number' ? details.retryAfterMs : undefined;
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return this.code === 'offline' || retryable.has(this.code);
  }
}

/** An error as plain data: for storages and other tabs, which take no instances of classes. */
export interface ErrorData {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export function toErrorData(error: unknown): ErrorData {
  if (!(error instanceof ParleyError)) return { code: 'internal', message: String(error), details: {} };
  // Through JSON: what cannot be cloned would fail the message to another tab.
  const details = JSON.parse(JSON.stringify(error.details)) as ErrorData['details'];
  return { code: error.code, message: error.message, details };
}

export function fromErrorData({ code, message, details }: ErrorData): ParleyError {
  return new ParleyError(code, message, details);
}
