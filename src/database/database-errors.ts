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
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CONNECT_TIMEOUT',
  '57P03',
  '53300',
  'CONNECTION_ENDED',
]);
/** The link broke, or the server went down in the middle. */
const inFlight = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  '57P01',
  '57P02',
  '57P05', // an idle connection was closed by the server at the moment of its next use
  '25P04', // the whole transaction took too long
  'outcome_unknown',
]);
/**
 * The server cannot now, and says so: the statement was undone. Its time was up, it met a deadlock or a write beside it, the
 * disk or the memory is full, a lock was not to be had, or the server is read-only (after a failover, or by an operator's hand).
 */
const rolledBack = new Set(['57014', '40P01', '40001', '53100', '53200', '58030', '55P03', '25006', '25P03']);

/** `never-connected` and `rolled-back`: nothing happened. `in-flight`: it may have happened. */
export type LinkLoss = 'never-connected' | 'in-flight' | 'rolled-back';

/** @returns undefined when the database said no for good */
export function linkLoss(error: unknown): LinkLoss | undefined {
  const { code = '' } = driverError(error);
  if (neverConnected.has(code)) return 'never-connected';
  if (rolledBack.has(code)) return 'rolled-back';
  return inFlight.has(code) ? 'in-flight' : undefined;
}

/** What the server or the network said, below everything that was wrapped around it. */
export function rootError(error: unknown): Error {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error && current.cause instanceof Error; depth++)
    current = current.cause;
  return current instanceof Error ? current : new Error(String(current));
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

/** A refusal of our own below what Drizzle wrapped around it: no connection became free. */
function refusalBelow(error: unknown): Failure | undefined {
  let current = (error as { cause?: unknown } | undefined)?.cause;
  for (let depth = 0; current instanceof Error && depth < 4; depth++) {
    if (current instanceof Failure) return current;
    current = current.cause;
  }
  return undefined;
}

/**
 * What a client is told when the database is away.
 * @param writes whether the request may have changed something before the link broke
 * @returns undefined for an error that has nothing to do with the link
 */
export function linkFailure(error: unknown, writes: boolean): Failure | undefined {
  if (error instanceof Failure) return undefined;
  const refusal = refusalBelow(error);
  if (refusal) return refusal;
  const lostHow = linkLoss(error);
  if (!lostHow) return undefined;
  const code = writes && lostHow === 'in-flight' ? 'outcome_unknown' : 'unavailable';
  return new Failure(code, 'the database did not answer', { cause: error, retryAfterMs: 1000 });
}

/**
 * How background work logs a failure that it repeats by itself. An outage of the database is reported once, by whoever probes it;
 * everybody else who meets it stays quiet.
 */
export function logLevelOf(error: unknown): 'warn' | 'debug' {
  if (error instanceof Failure) return error.code === 'unavailable' ? 'debug' : 'warn';
  return linkFailure(error, false) ? 'debug' : 'warn';
}

/**
 * What is read for the answer after a commit. Should it fail because the database went away, the refusal is not a definite one: what
 * was written stays written.
 */
export async function readAfterCommit<Value>(read: Promise<Value>): Promise<Value> {
  try {
    return await read;
  } catch (error) {
    const failure = linkFailure(error, true) ?? error;
    if (!(failure instanceof Failure) || failure.code !== 'unavailable') throw failure;
    throw new Failure('outcome_unknown', 'the database went away after the change', {
      cause: error,
      retryAfterMs: 1000,
    });
  }
}
