/**
 * Compares the unread counts of a few users now and then, so that an operator sees drift before users do. Costs what a handful
 * of room lists cost.
 */
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import { type Poller, startPoller } from '../../concurrency/poller.ts';
import type { Sql } from '../../database/connect.ts';
import { findIdRange, listUserIds } from './recount-repository.ts';
import { type CountKind, compareUnread, countKinds } from './unread-reconcile.ts';

/** Users of one check. */
const sampleSize = 5;

/** @param everyMs 0: never */
export function startUnreadCheck({
  sql,
  registry,
  logger,
  everyMs,
}: {
  sql: Sql;
  registry: Registry;
  logger: Logger;
  everyMs: number;
}): Pick<Poller, 'stop'> {
  const drift = new Counter<'kind'>({
    name: 'parley_unread_drift_total',
    help: 'Unread counts that differed from a recount, by what shows them. Anything but 0 is a bug in Parley',
    labelNames: ['kind'],
    registers: [registry],
  });
  for (const kind of countKinds) drift.inc({ kind }, 0);
  if (everyMs === 0) return { stop: () => {} };

  async function check(): Promise<void> {
    const range = await findIdRange(sql);
    if (!range) return;
    const { differences } = await compareUnread(sql, await listUserIds(sql, idWithin(range), sampleSize));
    for (const { kind } of differences) drift.inc({ kind: kind satisfies CountKind });
    if (differences.length > 0) logger.error({ differences }, 'unread counts differ from a recount');
  }

  return startPoller({
    work: check,
    everyMs,
    onError: (error) => logger.debug({ error }, 'the check of unread counts failed'),
  });
}

/** An id between two others, by the time with which ids begin: the users after it are a random sample. */
function idWithin({ first, last }: { readonly first: string; readonly last: string }): string {
  const [from, to] = [timeOf(first), timeOf(last)];
  const hex = Math.floor(from - 1 + Math.random() * (to - from + 1))
    .toString(16)
    .padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

/** Milliseconds since the epoch. RFC 9562, section 5.7: the first 48 bits. */
function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
