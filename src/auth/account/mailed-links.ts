/**
 * Links in mails about an account. The newest one counts: asking for another makes those of before void, also before
 * the new mail was sent. A mail that is dropped, because its address got as many as it may or because its server refused
 * it, makes none void: else anybody could keep a person from ever using a link.
 */
import { sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { OneTimeToken, OneTimeTokens } from '../credentials/one-time-tokens.ts';

/** What a link is for, and the mails that bring one. */
const templates = {
  verify_email: ['verify', 'verify_again'],
  change_email: ['change_email'],
  reset_password: ['reset'],
} as const;
export type LinkPurpose = keyof typeof templates;

export interface MailedLinks {
  /** Whether the link is good as of now; it stays good. */
  readonly isGood: (purpose: LinkPurpose, token: string) => Promise<boolean>;
  /** Takes the link away. @returns undefined for one that is over; the caller undoes the transaction */
  readonly redeem: (tx: Transaction, purpose: LinkPurpose, token: string) => Promise<OneTimeToken | undefined>;
}

export function createMailedLinks(db: Database, tokens: Pick<OneTimeTokens, 'peek' | 'redeem'>): MailedLinks {
  async function isNewest(
    tx: Database | Transaction,
    purpose: LinkPurpose,
    { userId, data }: OneTimeToken,
  ): Promise<boolean> {
    const { mailId = null } = data as { mailId?: string | null };
    const [found] = await tx.execute<{ newer: boolean }>(sql`
      select exists (
        select from mails own join mails newer on newer.user_id = own.user_id and newer.kind = 'account'
        where own.id = ${mailId}::uuid and own.user_id = ${userId}
          and newer.template in ${[...templates[purpose]]} and newer.state not in ('cancelled', 'failed')
          and (newer.created_at, newer.id) > (own.created_at, own.id)
      ) as newer`);
    return !found!.newer;
  }

  return {
    isGood: async (purpose, token) => {
      const found = await tokens.peek(db, purpose, token);
      return found !== undefined && isNewest(db, purpose, found);
    },
    redeem: async (tx, purpose, token) => {
      const redeemed = await tokens.redeem(tx, purpose, token);
      return redeemed && (await isNewest(tx, purpose, redeemed)) ? redeemed : undefined;
    },
  };
}

export function staleLink(): Failure {
  return new Failure('invalid', 'this link is no longer valid', {
    errors: [{ path: '/token', message: 'is no longer valid' }],
  });
}
