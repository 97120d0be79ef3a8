/** A refusal by the server, over REST or socket alike. */

/** Repeating the same request with the same key may succeed. */
const retryable = new Set(['outcome_unknown', 'unavailable', 'rate_limited', 'slow_mode', 'internal']);

export class ClientError extends Error {
  /** The contract's code, or `offline` when the server could not be reached. */
  readonly code: string;
  readonly retryAfterMs: number | undefined;
  /** Labels of moderation, errors of fields and the like. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = 'ClientError';
    this.code = code;
    this.details = details;
    this.retryAfterMs = typeof details.retryAfterMs === 'number' ? details.retryAfterMs : undefined;
  }

  get retryable(): boolean {
    return this.code === 'offline' || retryable.has(this.code);
  }
}
