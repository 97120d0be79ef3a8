/**
 * Erasing a person. An erasure is asked for (one transaction: the account is over, everything that is the account's
 * alone is gone, and a row says that the rest is owed) → swept (room by room, by whichever instance claims it) → done.
 *
 * An instance at work renews its claim; one that died leaves it to age, and another goes on from what is still there.
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
  /** When nothing of the person was left; null: it is being worked on. */
  readonly finishedAt: string | null;
  /** What `admin verify-erased` looks for: it is kept by whoever holds the receipt, and nowhere else. */
  readonly receipt: string | null;
}

export interface Erasures {
  /** @returns the receipt; again, that of the first time, without what it told apart. @throws Failure `not_found` */
  readonly request: (userId: string) => Promise<Receipt>;
  readonly stop: () => Promise<void>;
}

export interface ErasureSettings {
  /** How often other instances' unfinished work is looked for. */
  readonly pollMs: number;
  /** A claim that was not renewed for this long is nobody's. */
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
  /** Every instance is to look what ended; resolves when this one has. */
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
    // Two at once: the second finds the account gone and the first one's row.
    const first = user ? undefined : await known(tx, userId);
    if (first) return first;
    if (!user) throw new Failure('not_found', 'no such user');
    const vouched = await tx
      .select({ issuer: identities.issuer, subject: identities.subject })
      .from(identities)
      .where(eq(identities.userId, userId));
    const { username, displayName, email, avatarUrl } = user;
    const person: ErasedPerson = { userId, username, displayName, email, avatarUrl, identities: vouched };
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
            'a part of an erasure is tried again',
          );
          if (attempt === 5 || stopped) {
            // Left to whoever looks next.
            await db.update(erasures).set({ claimedAt: null }).where(eq(erasures.id, id));
            throw error;
          }
          await pause(200 * 2 ** attempt);
        }
      }
    }
    await db.update(erasures).set({ finishedAt: sql`clock_timestamp()` }).where(eq(erasures.id, id));
    logger.info({ erasureId: id, userId }, 'a person was erased');
  }

  const poller = startPoller({
    work: workAll,
    everyMs: settings.pollMs,
    onError: (error) => logger[logLevelOf(error)]({ error }, 'an erasure was interrupted and goes on later'),
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

/** What the person was called, for whoever has to prove that it is gone. */
function writeReceipt({ userId, username, displayName, email, avatarUrl, identities: known }: ErasedPerson): string {
  const markers = [username, displayName, email, avatarUrl, ...known.map(({ subject }) => subject)].filter(
    (marker) => marker !== null,
  );
  return Buffer.from(JSON.stringify({ userId, markers })).toString('base64url');
}
