/**
 * Erases a user. An erasure is requested (one transaction ends the account, deletes the data that belongs only to it, and
 * adds a row for the rest) → swept (room by room, by the instance that claims the row) → finished.
 *
 * A working instance renews its claim. If it dies, the claim expires and another instance continues with what is left.
 */

import { setTimeout as pause } from 'node:timers/promises';
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { startPoller } from '../../concurrency/poller.ts';
import type { Database, Transaction } from '../../database/connect.ts';
import { logLevelOf } from '../../database/database-errors.ts';
import type { ErasedPerson, PersonalData } from '../../database/personal-data.ts';
import { erasures, identities } from '../../database/tables/identity-tables.ts';
import { users } from '../../database/tables/user-tables.ts';
import { Failure } from '../../errors.ts';

export interface Receipt {
  readonly id: string;
  readonly userId: string;
  readonly requestedAt: string;
  /** When all data of the user was deleted; null while the erasure is running. */
  readonly finishedAt: string | null;
  /** What `admin verify-erased` searches for. Parley does not store it: only the answer contains it. */
  readonly receipt: string | null;
}

export interface Erasures {
  /** @returns the receipt; for a repeated request that of the first one, with `receipt: null`. @throws Failure `not_found` */
  readonly request: (userId: string) => Promise<Receipt>;
  readonly stop: () => Promise<void>;
}

export interface ErasureSettings {
  /** How often unfinished erasures of other instances are looked for. */
  readonly pollMs: number;
  /** A claim expires if it was not renewed for this long. */
  readonly claimMs: number;
}

export function startErasures({
  db,
  parts,
  onRequested,
  logger,
  settings,
}: {
  db: Database;
  parts: readonly PersonalData[];
  /** Tells every instance to read the revocations; resolves when this one has read them. */
  onRequested: () => Promise<void>;
  logger: Logger;
  settings: ErasureSettings;
}): Erasures {
  let stopped = false;

  async function request(userId: string): Promise<Receipt> {
    const receipt = await db.transaction(async (tx) => (await known(tx, userId)) ?? cut(tx, userId));
    await onRequested();
    poller.ifIdle();
    return receipt;
  }

  async function known(tx: Transaction, userId: string): Promise<Receipt | undefined> {
    const [row] = await tx.select().from(erasures).where(eq(erasures.userId, userId));
    return (
      row && {
        id: row.id,
        userId,
        requestedAt: row.requestedAt.toISOString(),
        finishedAt: row.finishedAt?.toISOString() ?? null,
        receipt: null,
      }
    );
  }

  async function cut(tx: Transaction, userId: string): Promise<Receipt> {
    const [user] = await tx
      .select()
      .from(users)
      .where(and(eq(users.id, userId), isNull(users.erasedAt)))
      .for('update');
    // Of two concurrent requests, the second finds the account gone and the first one's row.
    const first = user ? undefined : await known(tx, userId);
    if (first) return first;
    if (!user) throw new Failure('not_found', 'no such user');
    const linked = await tx
      .select({ issuer: identities.issuer, subject: identities.subject })
      .from(identities)
      .where(eq(identities.userId, userId));
    const { username, displayName, email, avatarUrl } = user;
    const person: ErasedPerson = { userId, username, displayName, email, avatarUrl, identities: linked };
    for (const part of parts) await part.cut?.(tx, person);
    const [row] = await tx.insert(erasures).values({ id: uuidv7(), userId }).returning();
    return {
      id: row!.id,
      userId,
      requestedAt: row!.requestedAt.toISOString(),
      finishedAt: null,
      receipt: writeReceipt(person),
    };
  }

  async function workAll(): Promise<void> {
    while (!stopped) {
      const claimed = await claim();
      if (!claimed) return;
      const renewal = setInterval(() => {
        renew(claimed.id).catch((error: unknown) => logger.debug({ error }, 'a claim could not be renewed'));
      }, settings.claimMs / 4);
      try {
        await sweep(claimed);
      } finally {
        clearInterval(renewal);
      }
    }
  }

  async function claim(): Promise<{ id: string; userId: string } | undefined> {
    const [row] = await db.execute<{ id: string; userId: string }>(sql`
      update erasures set claimed_at = clock_timestamp() where id = (
        select id from erasures where finished_at is null
          and (claimed_at is null or claimed_at < clock_timestamp() - ${settings.claimMs} * interval '1 millisecond')
        order by requested_at limit 1 for update skip locked)
      returning id, user_id as "userId"`);
    return row;
  }

  async function renew(id: string): Promise<void> {
    await db.update(erasures).set({ claimedAt: sql`clock_timestamp()` }).where(eq(erasures.id, id));
  }

  async function sweep({ id, userId }: { id: string; userId: string }): Promise<void> {
    for (const part of parts) {
      for (let attempt = 1; part.sweep; attempt++) {
        try {
          await part.sweep(userId);
          break;
        } catch (error) {
          logger[logLevelOf(error)](
            { error, erasureId: id, part: part.name, attempt },
            'a part of an erasure failed and is retried',
          );
          if (attempt === 5 || stopped) {
            // Gives the claim up, so that the next poll of any instance continues.
            await db.update(erasures).set({ claimedAt: null }).where(eq(erasures.id, id));
            throw error;
          }
          await pause(200 * 2 ** attempt);
        }
      }
    }
    await db.update(erasures).set({ finishedAt: sql`clock_timestamp()` }).where(eq(erasures.id, id));
    logger.info({ erasureId: id, userId }, 'a user was erased');
  }

  const poller = startPoller({
    work: workAll,
    everyMs: settings.pollMs,
    onError: (error) => logger[logLevelOf(error)]({ error }, 'an erasure was interrupted and will continue'),
  });
  poller.ifIdle();

  return {
    request,
    stop: async () => {
      stopped = true;
      poller.stop();
      await poller.settled();
    },
  };
}

/** The names and addresses of the user, with which the erasure can be verified. */
function writeReceipt({ userId, username, displayName, email, avatarUrl, identities: known }: ErasedPerson): string {
  const markers = [username, displayName, email, avatarUrl, ...known.map(({ subject }) => subject)].filter(
    (marker) => marker !== null,
  );
  return Buffer.from(JSON.stringify({ userId, markers })).toString('base64url');
}
