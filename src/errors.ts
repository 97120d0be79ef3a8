/**
 * Every failure a client can see, with what it means over HTTP, over RPC and for a retry.
 * The keys are public API: added to, never renamed. A failure is thrown; a verdict or an outcome is returned.
 */

/** gRPC status numbers (https://grpc.io/docs/guides/status-codes/), the same in Connect. */
const rpc = {
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

interface FailureKind {
  readonly http: number;
  readonly rpc: number;
  /** Whether the same request, with the same key, may succeed later. */
  readonly retryable: boolean;
  readonly title: string;
}

export const failures = {
  unauthenticated: { http: 401, rpc: rpc.unauthenticated, retryable: false, title: 'Not logged in' },
  token_expired: { http: 401, rpc: rpc.unauthenticated, retryable: false, title: 'The access token has expired' },
  second_factor_required: {
    http: 401,
    rpc: rpc.unauthenticated,
    retryable: false,
    title: 'A second factor is required', // details carry the challenge
  },
  step_up_required: { http: 403, rpc: rpc.permissionDenied, retryable: false, title: 'Log in again to confirm this' },
  forbidden: { http: 403, rpc: rpc.permissionDenied, retryable: false, title: 'Not allowed' },
  muted: { http: 403, rpc: rpc.permissionDenied, retryable: false, title: 'You are muted in this room' },
  banned: { http: 403, rpc: rpc.permissionDenied, retryable: false, title: 'You are banned' },
  not_found: { http: 404, rpc: rpc.notFound, retryable: false, title: 'Not found' }, // forbidden looks the same on purpose
  conflict: { http: 409, rpc: rpc.alreadyExists, retryable: false, title: 'Conflicts with the current state' },
  bad_frame: { http: 400, rpc: rpc.invalidArgument, retryable: false, title: 'Not a frame of this protocol' },
  invalid: { http: 400, rpc: rpc.invalidArgument, retryable: false, title: 'Invalid input' },
  method_not_allowed: { http: 405, rpc: rpc.invalidArgument, retryable: false, title: 'Method not allowed' },
  request_timeout: { http: 408, rpc: rpc.deadlineExceeded, retryable: true, title: 'The request came too slowly' },
  too_large: { http: 413, rpc: rpc.resourceExhausted, retryable: false, title: 'Too large' },
  unsupported_media_type: { http: 415, rpc: rpc.invalidArgument, retryable: false, title: 'Unsupported media type' },
  headers_too_large: { http: 431, rpc: rpc.resourceExhausted, retryable: false, title: 'Too many headers' },
  upgrade_required: { http: 426, rpc: rpc.invalidArgument, retryable: false, title: 'Only for WebSockets' },
  message_blocked: { http: 422, rpc: rpc.permissionDenied, retryable: false, title: 'Refused by moderation' },
  file_blocked: { http: 422, rpc: rpc.permissionDenied, retryable: false, title: 'Refused by the virus scanner' },
  rate_limited: { http: 429, rpc: rpc.resourceExhausted, retryable: true, title: 'Too many requests' },
  slow_mode: { http: 429, rpc: rpc.resourceExhausted, retryable: true, title: 'The room is in slow mode' },
  internal: { http: 500, rpc: rpc.internal, retryable: true, title: 'Internal error' },
  unavailable: { http: 503, rpc: rpc.unavailable, retryable: true, title: 'Temporarily unavailable' },
  outcome_unknown: {
    http: 503,
    rpc: rpc.unknown,
    retryable: true,
    title: 'The outcome is unknown; repeat the request with the same key',
  },
} as const satisfies Record<string, FailureKind>;

export type FailureCode = keyof typeof failures;

/** A place in the body, the URL or the frame, as a JSON pointer (RFC 6901): `/email/delay`. */
export type InputPath = `/${string}`;

/** What is wrong with one place of the input. */
export interface InputError {
  readonly path: InputPath;
  readonly message: string;
}

export interface FailureOptions {
  readonly cause?: unknown;
  /** Milliseconds until the caller may try again. */
  readonly retryAfterMs?: number;
  /** For `invalid`: what is wrong, and where. */
  readonly errors?: readonly InputError[];
  /** Extra members of the answer, e.g. `{ labels }` of `message_blocked`. No secrets and no texts of the database driver. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** A refusal that a client sees. Anything else that is thrown is a bug and is answered with `internal`. */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly retryAfterMs: number | undefined;
  readonly errors: readonly InputError[] | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: FailureCode, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.errors = options.errors;
    this.details = options.details;
  }

  get kind(): FailureKind {
    return failures[this.code];
  }
}

/** An `invalid` failure that names one field. */
export function invalid(path: InputPath, message: string): Failure {
  return new Failure('invalid', `${path.slice(1)}: ${message}`, { errors: [{ path, message }] });
}

/** For a request or frame whose connection has closed: nothing was done, and a repeat may succeed. */
export function clientGone(): Failure {
  return new Failure('unavailable', 'the connection was closed', { retryAfterMs: 1000 });
}

/** The failure that a client sees for anything thrown: the failure itself, or `internal` without its cause. */
export function toFailure(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure('internal', 'an unexpected error', { cause: error });
}
