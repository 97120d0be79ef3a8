/**
 * Reports outages of other systems (Redis, Postgres, SMTP, processing instances, login providers) in the log: a warning with
 * the reason when one begins, the same again at a slow pace while it lasts, and an info line when it is over.
 *
 * An outage is `well` → `away` (the first failure) → `well` (the first success). Callers report every attempt that they make
 * anyway; nothing here has a timer, so a system that nobody calls is not reported again.
 */
import type { Logger } from 'pino';

export interface Outage {
  /** An attempt failed. Reported at once if it is the first one or its reason is new, otherwise after the pause. */
  readonly failed: (cause: unknown) => void;
  /** An attempt succeeded. */
  readonly ended: () => void;
}

export interface OutageOptions {
  /**
   * For errors that do not say why the system is away, such as a command without a connection: how long to wait for one that does,
   * in milliseconds. Undefined: the error is a reason.
   */
  readonly vagueForMs?: (cause: unknown) => number | undefined;
}

export interface Outages {
  /** The outage of one system. All callers in a process that give the same name share it. */
  readonly of: (system: string, options?: OutageOptions) => Outage;
}

/** Outages of one system reported within the pause. A system that comes and goes faster than this is reported less often. */
const reportsPerPause = 5;
const reasonsMax = 10;

/** @param repeatMs the pause between two warnings about the same outage */
export function createOutages(logger: Pick<Logger, 'warn' | 'info'>, repeatMs: number): Outages {
  const known = new Map<string, Outage>();
  return {
    of: (system, options = {}) => {
      const outage = known.get(system) ?? createOutage(system, logger, repeatMs, options);
      known.set(system, outage);
      return outage;
    },
  };
}

interface Away {
  readonly sinceMs: number;
  readonly reasons: Set<string>;
  failures: number;
  lastToldMs: number;
}

function createOutage(
  system: string,
  logger: Pick<Logger, 'warn' | 'info'>,
  repeatMs: number,
  { vagueForMs = () => undefined }: OutageOptions,
): Outage {
  let away: Away | undefined;
  /** When the latest warnings were written, oldest first. */
  let told: number[] = [];

  function failed(cause: unknown): void {
    const nowMs = performance.now();
    away ??= { sinceMs: nowMs, reasons: new Set(), failures: 0, lastToldMs: nowMs };
    away.failures += 1;
    const { key, text } = reasonOf(cause);
    const graceMs = vagueForMs(cause);
    const isNew =
      graceMs === undefined
        ? !away.reasons.has(key) && away.reasons.size < reasonsMax
        : away.reasons.size === 0 && nowMs - away.sinceMs >= graceMs;
    if (!isNew && nowMs - away.lastToldMs < repeatMs) return;
    told = told.filter((each) => nowMs - each < repeatMs);
    if (told.length >= reportsPerPause) return;
    told.push(nowMs);
    away.lastToldMs = nowMs;
    away.reasons.add(key);
    const { sinceMs, failures } = away;
    logger.warn({ system, reason: text, failures, awayMs: Math.round(nowMs - sinceMs) }, `${system} is not available`);
  }

  function ended(): void {
    if (!away) return;
    const { sinceMs, failures, reasons } = away;
    away = undefined;
    // Without a warning the end is not reported either.
    if (reasons.size === 0) return;
    const awayMs = Math.round(performance.now() - sinceMs);
    logger.info({ system, failures, awayMs }, `${system} is available again`);
  }

  return { failed, ended };
}

/** `key` tells reasons apart: the error's code where it has one, because texts may name a port or a slot. */
function reasonOf(cause: unknown): { key: string; text: string } {
  const error = rootOf(cause);
  if (!(error instanceof Error)) return { key: String(error), text: String(error).slice(0, 300) };
  const { code } = error as { code?: unknown };
  // Redis puts its code before its words: `WRONGPASS invalid username-password pair`.
  const redisCode = /^[A-Z]{3,}(?= )/.exec(error.message)?.[0];
  const named = typeof code === 'string' && !error.message.includes(code) ? ` (${code})` : '';
  const text = `${error.message || error.name}${named}`.slice(0, 300);
  return { key: typeof code === 'string' ? code : (redisCode ?? text), text };
}

/** The error at the end of the chain of causes: what is wrapped around it says only who called. */
function rootOf(cause: unknown): unknown {
  let current = cause;
  for (let depth = 0; depth < 5; depth++) {
    const {
      cause: below,
      errors,
      lastNodeError,
    } = (current ?? {}) as {
      cause?: unknown;
      errors?: unknown[];
      lastNodeError?: unknown;
    };
    const next = below ?? lastNodeError ?? (current instanceof AggregateError ? errors?.[0] : undefined);
    if (next === undefined || next === null) break;
    current = next;
  }
  return current;
}
