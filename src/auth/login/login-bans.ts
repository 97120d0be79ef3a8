/** Bans from the deployment: a ban ends all sessions of the user and refuses new ones until it ends. */
import { and, eq, inArray } from 'drizzle-orm';
import type { Transaction } from '../../database/connect.ts';
import { revocations as revocationRows } from '../../database/tables/session-tables.ts';
import type { Revocations } from '../sessions/revocations.ts';
import type { SessionStore } from '../sessions/session-store.ts';

export interface LoginBans {
  /** @param until by Postgres' clock; null for a ban without an end */
  readonly impose: (tx: Transaction, userId: string, until: Date | null) => Promise<void>;
  readonly lift: (tx: Transaction, userId: string) => Promise<void>;
  /** Called after the commit. Every request from now on respects the ban, on every instance; sockets get a hint. */
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
  /** Only the newest row about a user's ban counts, so older ones are deleted. */
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
