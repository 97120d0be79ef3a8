/** What an error of the driver means for the caller. */
import { Failure } from '../errors.ts';

interface DriverError {
  readonly code?: string;
  readonly constraint_name?: string;
  /** In Postgres' source. */
  readonly routine?: string;
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

/**
 * What became of a statement that failed, by the code of the driver, of the system, or of Postgres (its documentation, appendix A,
 * "PostgreSQL Error Codes"). Codes that are not here, and whose class is not, mean that the statement itself was refused for good.
 */
const outcomes: Readonly<Record<LinkLoss, readonly string[]>> = {
  /** The server surely saw nothing: there was no connection, or none was let in. */
  'never-connected': [
    'ECONNREFUSED',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'EHOSTDOWN',
    'ENETUNREACH',
    'ENETDOWN',
    'EADDRNOTAVAIL',
    'EMFILE',
    'ENFILE',
    'CONNECT_TIMEOUT',
    'CONNECTION_ENDED',
    'TLS_REFUSED',
    '08001', // sqlclient_unable_to_establish_sqlconnection
    '08004', // sqlserver_rejected_establishment_of_sqlconnection
    '28000', // invalid_authorization_specification: a role or a rule was changed while we run
    '28P01', // invalid_password: the same
    '3D000', // invalid_catalog_name: the database is being restored
    '53300', // too_many_connections
    '57P03', // cannot_connect_now: starting, stopping, recovering
  ],
  /** The link broke, or the server went down in the middle: it may have happened. */
  'in-flight': [
    'CONNECTION_CLOSED',
    'CONNECTION_DESTROYED',
    'ECONNRESET',
    'ECONNABORTED',
    'EPIPE',
    'ETIMEDOUT',
    'outcome_unknown',
    '25P04', // transaction_timeout: the whole transaction took too long, its commit included
    '40003', // statement_completion_unknown
    '57P01', // admin_shutdown
    '57P02', // crash_shutdown
    '57P04', // database_dropped
    '57P05', // idle_session_timeout: the server closed an idle connection at the moment of its next use
  ],
  /** The server cannot now, and says so: the statement was undone. */
  'rolled-back': [
    '25006', // read_only_sql_transaction: after a failover, or by an operator's hand
    '25P02', // in_failed_sql_transaction
    '25P03', // idle_in_transaction_session_timeout
    '26000', // invalid_sql_statement_name: a pooler gave the session to somebody else
    '42P05', // duplicate_prepared_statement: the same
    '55000', // object_not_in_prerequisite_state: "recovery is in progress"
    '55006', // object_in_use
    '55P03', // lock_not_available
    '57014', // query_canceled: its time was up
  ],
};
/** Classes of which every code that is not named above means the same. */
const outcomesByClass: Readonly<Record<string, LinkLoss>> = {
  '08': 'in-flight', // connection exceptions; poolers send 08P01 for their own troubles
  '40': 'rolled-back', // transaction rollback: deadlocks, writes beside it
  '53': 'rolled-back', // insufficient resources: disk, memory, limits
  '57': 'rolled-back', // operator intervention
  '58': 'rolled-back', // system errors: files, disks
  XX: 'rolled-back', // internal errors of the server, corrupted data
};
const outcomeByCode = new Map(
  Object.entries(outcomes).flatMap(([outcome, codes]) => codes.map((code) => [code, outcome as LinkLoss] as const)),
);
/** Where a statement is found to be prepared for a table that a newer build has changed meanwhile. */
const changedMeanwhile = 'RevalidateCachedQuery';

/** `never-connected` and `rolled-back`: nothing happened. `in-flight`: it may have happened. */
export type LinkLoss = 'never-connected' | 'in-flight' | 'rolled-back';

/** @returns undefined when the database said no for good */
export function linkLoss(error: unknown): LinkLoss | undefined {
  const { code = '', routine } = driverError(error);
  const named = outcomeByCode.get(code);
  if (named) return named;
  if (routine === changedMeanwhile) return 'rolled-back';
  return /^[0-9A-Z]{5}$/.test(code) ? outcomesByClass[code.slice(0, 2)] : undefined;
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
