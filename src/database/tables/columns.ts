/** Column types that the tables share. */
import { sql } from 'drizzle-orm';
import { bigint, customType, timestamp } from 'drizzle-orm/pg-core';

export const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** A transaction id that never wraps around. A poller compares it with its snapshot to find rows that it may have missed. */
const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' });

/** A point in time with milliseconds, as JavaScript's `Date` has them. */
export const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });
export const createdAt = () => time('created_at').notNull().defaultNow();
export const seq = (name: string) => bigint(name, { mode: 'number' });

/** The transaction that wrote the row. */
export const transactionId = () => xid8('xid').notNull().default(sql`pg_current_xact_id()`);
