/** A person who may not come in at all: every login of theirs ends, and new ones are refused until the ban does. */
import { and, eq, inArray } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { revocations as revocationRows } from '../../database/tables/session-tables.ts';
import type { Revocations } from '../sessions/revocations.ts';
import type { SessionStore } from '../sessions/session-store.ts';

export interface LoginBans {
  /** @param until Postgres' clock; null: until it is lifted */
  readonly impose: (tx: Transaction, userId: string, until: Date | null) => Promise<void>;
  readonly lift: (tx: Transaction, userId: string) => Promise<void>;
  /** After the commit: binds every request from now on, here and, through Postgres, everywhere; sockets learn of it by a hint. */
  readonly announce: () => Promise<void>;
}

export function createLoginBans({
  sessions,
  revocations,
  onRevoked,
}: {
  sessions: SessionStore;
  revocations: Revocations;
  onRevoked: () => void;
}): LoginBans {
  /** The newest row about a user's ban is the one that counts, so older ones need not be kept. */
  async function write(tx: Transaction, row: typeof revocationRows.$inferInsert): Promise<void> {
    await tx
      .delete(revocationRows)
      .where(and(eq(revocationRows.userId, row.userId), inArray(revocationRows.kind, ['ban', 'unban'])));
    await tx.insert(revocationRows).values(row);
  }

  return {
    impose: async (tx, userId, until) => {
      await sessions.revokeAll(tx, userId);
      await write(tx, { kind: 'ban', userId, until });
    },
    lift: (tx, userId) => write(tx, { kind: 'unban', userId }),
    announce: async () => {
      onRevoked();
      await revocations.sync();
    },
  };
}
