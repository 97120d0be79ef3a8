/** Sends one mail: locks and prepares it, claims it, sends it, and records the outcome. */
import { sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Database, Transaction } from '../../database/connect.ts';
import type { ComposedMail, Mailer } from '../smtp/mailer.ts';
import type { SmtpOutcome } from '../smtp/smtp-conversation.ts';
import type { Claim, MailLedger, OwedMail } from './mail-ledger.ts';

/** Prepares an owed mail: returns the mail, or cancels or postpones it. */
type Prepared =
  | { readonly kind: 'mail'; readonly mail: ComposedMail; readonly claim: Claim }
  | { readonly kind: 'cancel' }
  | { readonly kind: 'later'; readonly dueMs: number };

export type Prepare = (tx: Transaction, mail: OwedMail) => Promise<Prepared>;

export interface DeliverySettings {
  /** First pause before a mail that its receiver's server put off is tried again; doubles. */
  readonly retryPauseMs: number;
  readonly retryPauseMaxMs: number;
  /** A mail that was deferred this often is given up. */
  readonly attemptsMax: number;
}

export type Deliver = (mailId: string, prepare: Prepare) => Promise<void>;

export function createDelivery({
  db,
  ledger,
  mailer,
  logger,
  onAttempt = () => {},
  settings,
}: {
  db: Database;
  ledger: MailLedger;
  mailer: Mailer;
  logger: Logger;
  onAttempt?: (outcome: SmtpOutcome['kind']) => void;
  settings: DeliverySettings;
}): Deliver {
  async function claim(mailId: string, prepare: Prepare): Promise<{ owed: OwedMail; mail: ComposedMail } | undefined> {
    return db.transaction(async (tx) => {
      // Lock the account first, like everything that changes or erases it. The other order would deadlock.
      await tx.execute(
        sql`select from users u join mails m on m.user_id = u.id where m.id = ${mailId} for key share of u`,
      );
      const owed = await ledger.lock(tx, mailId);
      // An early bell: the job of its time is still in the queue, or the sweep finds the mail then.
      if (!owed?.due) return undefined;
      const prepared = await prepare(tx, owed);
      if (prepared.kind === 'cancel') await ledger.cancel(tx, mailId);
      if (prepared.kind === 'later') await ledger.postpone(tx, owed, prepared.dueMs);
      if (prepared.kind !== 'mail') return undefined;
      await ledger.claim(tx, mailId, prepared.claim);
      return { owed, mail: prepared.mail };
    });
  }

  async function settle(owed: OwedMail, outcome: SmtpOutcome): Promise<void> {
    switch (outcome.kind) {
      case 'withdrawn':
        return;
      case 'sent':
      case 'maybe_sent':
        return ledger.finish(owed.id, outcome.kind);
      case 'unavailable':
        // An outage does not count as an attempt. The retries are spread, so that they do not arrive all at once.
        return ledger.release(owed.id, { pauseMs: settings.retryPauseMs * (1 + 2 * Math.random()), attempt: false });
      case 'refused':
        if (outcome.permanent) return ledger.finish(owed.id, 'failed', outcome.recipient);
        if (owed.attempts + 1 >= settings.attemptsMax) return ledger.finish(owed.id, 'failed');
        return ledger.release(owed.id, { pauseMs: pauseAfter(owed.attempts + 1, settings), attempt: true });
    }
  }

  return async (mailId, prepare) => {
    // Without a server the mail stays owed. The sweep queues its job again when there is one.
    if (!mailer.ready()) return;
    const claimed = await claim(mailId, prepare);
    if (!claimed) return;
    const outcome = await mailer.deliver(claimed.mail, () => ledger.hand(mailId));
    const reason = 'reason' in outcome ? outcome.reason : undefined;
    onAttempt(outcome.kind);
    logger.info({ mailId, kind: claimed.owed.kind, outcome: outcome.kind, reason }, 'mail');
    await persistently(() => settle(claimed.owed, outcome));
  };
}

const quickAttempts = 20;
const slowestMs = 3_600_000;

/** Pause before the next attempt: it doubles, half of it is jitter. Deferrals often last only seconds, so it starts short. */
function pauseAfter(attempt: number, { retryPauseMs, retryPauseMaxMs }: DeliverySettings): number {
  const pauseMs =
    attempt <= quickAttempts
      ? Math.min(retryPauseMs * 2 ** (attempt - 1), retryPauseMaxMs)
      : Math.min(retryPauseMaxMs * 1.5 ** (attempt - quickAttempts), slowestMs);
  return pauseMs * (0.5 + Math.random() / 2);
}

/** Records an outcome. Only this process knows it, so it retries while the database is unavailable. */
async function persistently(write: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (attempt === 5) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** attempt));
    }
  }
}
