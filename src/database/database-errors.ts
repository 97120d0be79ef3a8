/** Tells what an error of the driver means for the caller. */
import { Failure } from '../errors.ts';

interface DriverError {
  readonly code?: string;
  readonly constraint_name?: string;
  /** In Postgres' source. */
  readonly routine?: string;
  readonly cause?: unknown;
}

/** Drizzle wraps the driver's error. */
function driverError(error: unknown): DriverError {
  let current = error as DriverError | undefined;
  for (let depth = 0; current && typeof current === 'object' && depth < 4; depth++) {
    if (typeof current.code === 'string') return current;
    current = current.cause as DriverError | undefined;
  }
  return {};
}

/**
 * The outcome of a failed statement, by the code of the driver, the system, or Postgres (its documentation, appendix A, "PostgreSQL Error
 * Codes"). Other codes of other classes mean that the statement itself is wrong, and that repeating it does not help.
 */
const outcomes: Readonly<Record<LinkLoss, readonly string[]>> = {
  /** The server saw nothing for certain: there was no connection, or it was refused. */
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
  /** The connection broke, or the server went down while the statement ran: it may have been committed. */
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
  /** The server refused or cancelled the statement: it was rolled back. */
  'rolled-back': [
    '25006', // read_only_sql_transaction: after a failover, or by an operator's hand
    '25P02', // in_failed_sql_transaction
    '25P03', // idle_in_transaction_session_timeout
    '26000', // invalid_sql_statement_name: a pooler gave the server process to another client
    '42P05', // duplicate_prepared_statement: the same
    '55000', // object_not_in_prerequisite_state: "recovery is in progress"
    '55006', // object_in_use
    '55P03', // lock_not_available
    '57014', // query_canceled: its time was up
  ],
};
/** Classes in which every code that is not listed above means the same. */
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
/** The routine of Postgres that refuses a prepared statement whose table a newer build has changed. */
const changedMeanwhile = 'RevalidateCachedQuery';

/** `never-connected` and `rolled-back`: nothing was changed. `in-flight`: the outcome is unknown. */
export type LinkLoss = 'never-connected' | 'in-flight' | 'rolled-back';

/** @returns undefined if the database refused the statement for good */
export function linkLoss(error: unknown): LinkLoss | undefined {
  const { code = '', routine } = driverError(error);
  const named = outcomeByCode.get(code);
  if (named) return named;
  if (routine === changedMeanwhile) return 'rolled-back';
  return /^[0-9A-Z]{5}$/.test(code) ? outcomesByClass[code.slice(0, 2)] : undefined;
}

/** The error of the server or the network, below all errors that wrap it. */
export function rootError(error: unknown): Error {
  let current = error;
  for (let depth = 0; depth < 5 && current instanceof Error && current.cause instanceof Error; depth++)
    current = current.cause;
  return current instanceof Error ? current : new Error(String(current));
}

/** SQLSTATE 23505. @param constraintPrefix counts only constraints whose name begins with it */
export function isUniqueViolation(error: unknown, constraintPrefix = ''): boolean {
  const { code, constraint_name = '' } = driverError(error);
  return code === '23505' && constraint_name.startsWith(constraintPrefix);
}

/** SQLSTATE 22012: append-statement.ts divides by zero if a room's batch was stored in part. */
export function isTornBatch(error: unknown): boolean {
  return driverError(error).code === '22012';
}

/** A Failure of Parley itself that Drizzle has wrapped: no connection became free. */
function refusalBelow(error: unknown): Failure | undefined {
  let current = (error as { cause?: unknown } | undefined)?.cause;
  for (let depth = 0; current instanceof Error && depth < 4; depth++) {
    if (current instanceof Failure) return current;
    current = current.cause;
  }
  return undefined;
}

/**
 * The failure that a client gets when the database is away.
 * @param writes whether the request may have changed something before the connection broke
 * @returns undefined for an error that has nothing to do with the connection
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
 * The level at which background work logs a failure that it repeats by itself. The probe reports an outage of the database once, so
 * everything else logs it at `debug`.
 */
export function logLevelOf(error: unknown): 'warn' | 'debug' {
  if (error instanceof Failure) return error.code === 'unavailable' ? 'debug' : 'warn';
  return linkFailure(error, false) ? 'debug' : 'warn';
}

/**
 * Reads what an answer needs after a commit. If the database goes away, the failure is `outcome_unknown`, never a definite refusal, because
 * the change is committed.
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
