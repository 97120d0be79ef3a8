/** What an error of the driver means for the caller. */
import { Failure } from '../errors.ts';

interface DriverError {
  readonly code?: string;
  readonly constraint_name?: string;
  readonly cause?: unknown;
}

/** Drizzle wraps what the driver threw. */
function driverError(error: unknown): DriverError {
  let current = error as DriverError | undefined;
  for (let depth = 0; current && typeof current === 'object' && depth < 4; depth++) {
    if (typeof current.code === 'string') return current;
    current = current.cause as DriverError | undefined;
  }
  return {};
}

/** Errors of which the server surely saw nothing. */
const neverConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'CONNECT_TIMEOUT',
  '57P03',
  '53300',
  'CONNECTION_ENDED',
]);
/** 57014: our own statement timeout; the others: the link broke, or the server is going down or to read-only. */
const lost = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  '57P01',
  '57P02',
  '57014',
  '40P01',
  '40001',
  '53100',
  '58030',
  '25006',
  'outcome_unknown',
]);

/** `never-connected`: nothing happened. `in-flight`: it may have happened. undefined: the database said no. */
export function isConnectionLoss(error: unknown): 'never-connected' | 'in-flight' | undefined {
  const { code = '' } = driverError(error);
  if (neverConnected.has(code)) return 'never-connected';
  return lost.has(code) ? 'in-flight' : undefined;
}

/** SQLSTATE 23505, of a table's constraint when one is named. */
export function isUniqueViolation(error: unknown, constraintPrefix = ''): boolean {
  const { code, constraint_name = '' } = driverError(error);
  return code === '23505' && constraint_name.startsWith(constraintPrefix);
}

/** SQLSTATE 22012: append-statement.ts divides by zero when a room's batch was stored in part. */
export function isTornBatch(error: unknown): boolean {
  return driverError(error).code === '22012';
}

/**
 * What a client is told when the database is away.
 * @param writes whether the request may have changed something before the link broke
 * @returns undefined for an error that has nothing to do with the link
 */
export function linkFailure(error: unknown, writes: boolean): Failure | undefined {
  const lostHow = error instanceof Failure ? undefined : isConnectionLoss(error);
  if (!lostHow) return undefined;
  const code = writes && lostHow === 'in-flight' ? 'outcome_unknown' : 'unavailable';
  return new Failure(code, 'the database did not answer', { cause: error, retryAfterMs: 1000 });
}
