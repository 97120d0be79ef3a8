/**
 * Links in mails about an account. Only the newest link works: requesting another one invalidates the earlier ones at
 * once. A mail that was dropped, because of the limit per address or because its server refused it, invalidates none:
 * otherwise anybody could request mails to make a user's links useless.
 */
import { sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { OneTimeToken, OneTimeTokens } from '../credentials/one-time-tokens.ts';

/** The purposes of links, and the mails that contain one. */
const templates = {
  verify_email: ['verify', 'verify_again'],
  change_email: ['change_email'],
  reset_password: ['reset'],
} as const;
export type LinkPurpose = keyof typeof templates;

export interface MailedLinks {
  /** Whether the link works now, without redeeming it. */
  readonly isGood: (purpose: LinkPurpose, token: string) => Promise<boolean>;
  /** Redeems the link. @returns undefined for a stale one; the caller must roll back then */
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
