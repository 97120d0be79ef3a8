/** Tokens that work once, for one purpose: mailed links, login codes, challenges. Only their hashes are stored. */
import { and, eq, lt, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { oneTimeTokens } from '../../database/tables/credential-tables.ts';
import { lockAccount } from '../../user/account/account-lock.ts';
import { hashSecret, makeSecret } from './random-secrets.ts';

export type TokenPurpose =
  | 'verify_email'
  | 'change_email'
  | 'reset_password'
  | 'login_flow'
  | 'login_code'
  | 'link_start'
  | 'link_code'
  | 'second_step'
  | 'passkey_registration'
  | 'passkey_login'
  | 'passkey_second_step'
  | 'passkey_step_up'
  | 'setup';

export interface OneTimeToken {
  readonly userId: string;
  readonly data: Record<string, unknown>;
}

export interface OneTimeTokens {
  /**
   * @param userId null for a token that belongs to no account
   * @returns the token, which is not stored
   * @throws Failure `unauthenticated` if the account was erased
   */
  readonly issue: (
    tx: Database | Transaction,
    purpose: TokenPurpose,
    userId: string | null,
    data: Record<string, unknown>,
    lifetimeMs: number,
  ) => Promise<string>;
  /** Reads the token without redeeming it. */
  readonly peek: (
    tx: Database | Transaction,
    purpose: TokenPurpose,
    token: string,
  ) => Promise<OneTimeToken | undefined>;
  /** Like `redeem`, also for tokens that belong to no account. */
  readonly redeemAny: (
    tx: Database | Transaction,
    purpose: TokenPurpose,
    token: string,
  ) => Promise<{ readonly userId: string | null; readonly data: Record<string, unknown> } | undefined>;
  /** Deletes the token and returns it. Of two requests with the same token, one gets it. */
  readonly redeem: (
    tx: Database | Transaction,
    purpose: TokenPurpose,
    token: string,
  ) => Promise<OneTimeToken | undefined>;
  /** Deletes a user's tokens for a purpose. */
  readonly withdraw: (tx: Database | Transaction, purpose: TokenPurpose, userId: string) => Promise<void>;
  /** Deletes expired tokens. */
  readonly sweep: () => Promise<void>;
}

export function createOneTimeTokens(db: Database): OneTimeTokens {
  const named = (purpose: TokenPurpose, token: string) =>
    and(eq(oneTimeTokens.hash, hashSecret(token)), eq(oneTimeTokens.purpose, purpose));

  const redeemAny: OneTimeTokens['redeemAny'] = async (tx, purpose, token) => {
    const [row] = await tx
      .delete(oneTimeTokens)
      .where(named(purpose, token))
      .returning({
        userId: oneTimeTokens.userId,
        data: oneTimeTokens.data,
        alive: sql<boolean>`${oneTimeTokens.expiresAt} > now()`,
      });
    return row?.alive ? { userId: row.userId, data: row.data } : undefined;
  };

  return {
    issue: async (tx, purpose, userId, data, lifetimeMs) => {
      const token = makeSecret();
      const row = {
        hash: hashSecret(token),
        purpose,
        userId,
        data,
        expiresAt: sql`now() + ${lifetimeMs} * interval '1 millisecond'` as unknown as Date,
      };
      await (userId === null
        ? tx.insert(oneTimeTokens).values(row)
        : tx.transaction(async (inner) => {
            await lockAccount(inner, userId);
            await inner.insert(oneTimeTokens).values(row);
          }));
      return token;
    },
    peek: async (tx, purpose, token) => {
      const [row] = await tx
        .select({ userId: oneTimeTokens.userId, data: oneTimeTokens.data })
        .from(oneTimeTokens)
        .where(and(named(purpose, token), sql`${oneTimeTokens.expiresAt} > now()`));
      return row && row.userId !== null ? { userId: row.userId, data: row.data } : undefined;
    },
    redeemAny,
    redeem: async (tx, purpose, token) => {
      const row = await redeemAny(tx, purpose, token);
      return row && row.userId !== null ? { userId: row.userId, data: row.data } : undefined;
    },
    withdraw: async (tx, purpose, userId) => {
      await tx.delete(oneTimeTokens).where(and(eq(oneTimeTokens.purpose, purpose), eq(oneTimeTokens.userId, userId)));
    },
    sweep: async () => {
      await db.delete(oneTimeTokens).where(lt(oneTimeTokens.expiresAt, sql`now()`));
    },
  };
}
