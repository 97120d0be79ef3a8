/** Mails as personal data: the export lists them, an erasure deletes them and sends no more. */
import { eq, or, sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { onePage, type PersonalData } from '../../database/personal-data.ts';
import { developmentMailbox, mailMarks, mailSuppressions, mails } from '../../database/tables/mail-tables.ts';

export function createMailData(db: Database): PersonalData {
  return {
    name: 'mails',
    cut: async (tx, { userId, username, displayName, email }) => {
      await tx.execute(sql`
        select graphile_worker.remove_job('mail:' || m.id) from mails m
        where m.user_id = ${userId} and m.state in ('owed', 'claimed')`);
      await tx.delete(mails).where(eq(mails.userId, userId));
      // Another account may have the same address, unconfirmed.
      if (email !== null)
        await tx
          .update(mails)
          .set({ state: 'cancelled', recipient: null, finishedAt: sql`now()` })
          .where(sql`lower(${mails.recipient}) = ${email.toLowerCase()} and ${mails.state} = 'owed'`);
      await tx.delete(mailMarks).where(eq(mailMarks.userId, userId));
      await tx.delete(mailSuppressions).where(eq(mailSuppressions.userId, userId));
      // The mailbox is for developers only, so it does not matter if too much is deleted.
      const words = [username, displayName, ...(email === null ? [] : [email])];
      const mentions = words.map(
        (word) => sql`position(lower(${word}) in lower(concat_ws(' ', ${developmentMailbox.recipient},
          ${developmentMailbox.subject}, ${developmentMailbox.text}, ${developmentMailbox.html}))) > 0`,
      );
      await tx.delete(developmentMailbox).where(or(...mentions));
    },
    exports: {
      mails: onePage((userId) =>
        db
          .select({
            id: mails.id,
            kind: mails.kind,
            template: mails.template,
            recipient: mails.recipient,
            state: mails.state,
            dueAt: mails.dueAt,
            finishedAt: mails.finishedAt,
          })
          .from(mails)
          .where(eq(mails.userId, userId))
          .limit(50_000),
      ),
    },
  };
}
