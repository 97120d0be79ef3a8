/** What moderation stores about a user: their reports, their texts that were moderated, and their bans. Exported and erased. */
import { and, eq, inArray, isNull, or, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { onePage, type PersonalData } from '../../database/personal-data.ts';
import {
  learnedExamples,
  moderationAudit,
  moderationBans,
  moderationBlocks,
  moderationQueue,
  moderationRemovals,
  moderationReports,
  unjudgedMessages,
} from '../../database/tables/moderation-tables.ts';

export function createModerationPersonalData(db: Database): PersonalData {
  return {
    name: 'moderation',
    cut: async (tx, { userId }) => {
      await eraseCases(tx, userId);
      // Before the removed texts are deleted: these lessons are found by their text alone.
      await revokeLessonsWithoutAuthor(tx, userId);
      await tx.delete(moderationRemovals).where(eq(moderationRemovals.authorId, userId));
      await tx.delete(moderationBlocks).where(eq(moderationBlocks.authorId, userId));
      await tx.delete(unjudgedMessages).where(eq(unjudgedMessages.authorId, userId));
      await revokeLessonsOf(tx, userId);
      await tx.update(moderationBans).set({ reason: null }).where(eq(moderationBans.userId, userId));
    },
    sweep: async (userId) => {
      await db
        .update(moderationAudit)
        .set({ details: {} })
        .where(
          or(
            eq(moderationAudit.actorId, userId),
            eq(moderationAudit.targetId, userId),
            // Acts on the user's messages.
            sql`${moderationAudit.details} ->> 'authorId' = ${userId}`,
          ),
        );
    },
    exports: exportsOf(db),
  };
}

/** Decisions stay on record; the texts and the reasons go. */
async function eraseCases(tx: Transaction, userId: string): Promise<void> {
  const cases = tx.select({ id: moderationQueue.id }).from(moderationQueue).where(eq(moderationQueue.authorId, userId));
  await tx
    .update(moderationReports)
    .set({ reason: '' })
    .where(or(eq(moderationReports.reporterId, userId), inArray(moderationReports.queueId, cases)));
  await tx.update(moderationQueue).set({ labels: [], note: null }).where(eq(moderationQueue.authorId, userId));
  await tx.update(moderationQueue).set({ note: null }).where(eq(moderationQueue.decidedBy, userId));
}

/** Lessons without an author come from an older version, or from an instance that still runs it. */
async function revokeLessonsWithoutAuthor(tx: Transaction, userId: string): Promise<void> {
  const removed = tx
    .select({ text: moderationRemovals.text })
    .from(moderationRemovals)
    .where(eq(moderationRemovals.authorId, userId));
  await tx
    .update(learnedExamples)
    .set({ text: '', revokedAt: sql`coalesce(${learnedExamples.revokedAt}, now())` })
    .where(and(isNull(learnedExamples.authorId), inArray(learnedExamples.text, removed)));
}

/** Lessons learned from the user's texts go with the texts. */
async function revokeLessonsOf(tx: Transaction, userId: string): Promise<void> {
  await tx
    .update(learnedExamples)
    .set({ text: '', authorId: null, revokedAt: sql`coalesce(${learnedExamples.revokedAt}, now())` })
    .where(eq(learnedExamples.authorId, userId));
}

function exportsOf(db: Database): PersonalData['exports'] {
  return {
    reports: onePage((userId) =>
      db
        .select({ reason: moderationReports.reason, createdAt: moderationReports.createdAt })
        .from(moderationReports)
        .where(eq(moderationReports.reporterId, userId))
        .limit(50_000),
    ),
    bans: onePage((userId) =>
      db
        .select({
          roomId: moderationBans.roomId,
          reason: moderationBans.reason,
          createdAt: moderationBans.createdAt,
          expiresAt: moderationBans.expiresAt,
          liftedAt: moderationBans.liftedAt,
        })
        .from(moderationBans)
        .where(eq(moderationBans.userId, userId)),
    ),
    'removed-messages': onePage((userId) =>
      db
        .select({
          messageId: moderationRemovals.messageId,
          roomId: moderationRemovals.roomId,
          text: moderationRemovals.text,
          removedAt: moderationRemovals.removedAt,
        })
        .from(moderationRemovals)
        .where(eq(moderationRemovals.authorId, userId))
        .limit(10_000),
    ),
    'refused-messages': onePage((userId) =>
      db
        .select({
          roomId: moderationBlocks.roomId,
          kind: moderationBlocks.kind,
          labels: sql<unknown>`${moderationBlocks.labels}`,
          createdAt: moderationBlocks.createdAt,
        })
        .from(moderationBlocks)
        .where(eq(moderationBlocks.authorId, userId))
        .limit(50_000),
    ),
  };
}
