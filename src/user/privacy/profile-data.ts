/** The personal data of an account, its settings and its blocks: exported, and erased. */
import { randomBytes } from 'node:crypto';
import { eq, or, sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { onePage, type PersonalData } from '../../database/personal-data.ts';
import { idempotencyKeys } from '../../database/tables/request-tables.ts';
import { blocks, notificationSettings, users } from '../../database/tables/user-tables.ts';

export function createProfileData(db: Database): PersonalData {
  return {
    name: 'profile',
    cut: async (tx, { userId }) => {
      // The row stays as a tombstone, because messages refer to it.
      await tx
        .update(users)
        .set({
          username: `deleted-${randomBytes(8).toString('hex')}`,
          displayName: 'Deleted user',
          avatarUrl: null,
          email: null,
          emailVerifiedAt: null,
          passwordHash: null,
          role: 'user',
          lastSeenAt: null,
          statusEmoji: null,
          statusText: null,
          statusExpiresAt: null,
          invisible: false,
          erasedAt: sql`clock_timestamp()`,
        })
        .where(eq(users.id, userId));
      await tx.delete(blocks).where(or(eq(blocks.userId, userId), eq(blocks.blockedId, userId)));
      await tx.delete(notificationSettings).where(eq(notificationSettings.userId, userId));
      await tx.delete(idempotencyKeys).where(eq(idempotencyKeys.userId, userId));
    },
    // Stored answers to other servers' requests about the user.
    sweep: async (userId) => {
      await db.delete(idempotencyKeys).where(sql`${idempotencyKeys.body}::text like ${`%${userId}%`}`);
    },
    exports: {
      account: onePage((userId) =>
        db
          .select({
            id: users.id,
            username: users.username,
            displayName: users.displayName,
            avatarUrl: users.avatarUrl,
            kind: users.kind,
            role: users.role,
            email: users.email,
            emailVerifiedAt: users.emailVerifiedAt,
            createdAt: users.createdAt,
            lastSeenAt: users.lastSeenAt,
            statusEmoji: users.statusEmoji,
            statusText: users.statusText,
            statusExpiresAt: users.statusExpiresAt,
            invisible: users.invisible,
          })
          .from(users)
          .where(eq(users.id, userId)),
      ),
      notifications: onePage((userId) =>
        db.select().from(notificationSettings).where(eq(notificationSettings.userId, userId)),
      ),
      blocks: onePage((userId) =>
        db
          .select({ userId: blocks.blockedId, createdAt: blocks.createdAt })
          .from(blocks)
          .where(eq(blocks.userId, userId)),
      ),
    },
  };
}
