/**
 * Linking a provider to an existing account. An identity is (issuer, subject), and only a session of the account itself
 * can link one.
 *
 * The session asks for a start token (`start`) → the browser goes through the provider with it → the callback gives the
 * page a code → only the session that asked can redeem it (`finish`). So neither a lured browser nor a stolen code links
 * anything.
 */
import { and, eq, isNotNull, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../database/connect.ts';
import { isUniqueViolation } from '../../database/database-errors.ts';
import { identities } from '../../database/tables/identity-tables.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { type OweAccountMail, oweNotice } from '../../user/account/account-notice.ts';
import type { LoginMethods } from '../credentials/login-methods.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';
import type { StepUp } from '../mfa/step-up.ts';
import { lockSession } from '../sessions/session-lock.ts';
import type { PersonClaims } from './identity-claims.ts';

export interface IdentityView {
  readonly id: string;
  /** Null for an identity of a host application. */
  readonly provider: string | null;
  readonly issuer: string;
  /** The user's name at the issuer. */
  readonly name: string | null;
  readonly createdAt: string;
}

export interface IdentityLinking {
  /**
   * @returns a token that starts the way through the provider, works once and for ten minutes
   * @throws Failure `step_up_required` without a recent login, `forbidden` to a host application's user
   */
  readonly start: (caller: Caller, provider: string) => Promise<string>;
  /** @returns a code for `finish` that works once, within a minute. @throws Failure `invalid` for a stale token */
  readonly codeFor: (startToken: string, person: PersonClaims, provider: string) => Promise<string>;
  /** @throws Failure `unauthenticated` for a stale code or another session's, `conflict` if another account has the identity */
  readonly finish: (caller: Caller, code: string) => Promise<IdentityView>;
  readonly list: (userId: string) => Promise<IdentityView[]>;
  /** @throws Failure `step_up_required`, `forbidden`, `not_found`, `conflict` if it is the account's last login method */
  readonly unlink: (caller: Caller, identityId: string) => Promise<void>;
}

interface NewLink {
  readonly issuer: string;
  readonly subject: string;
  readonly provider: string;
  readonly name: unknown;
}

const codeLifetimeMs = 60_000;
const startLifetimeMs = 10 * 60_000;
/** Identities of one account. */
const identitiesMax = 20;

export function createIdentityLinking({
  db,
  oneTimeTokens,
  stepUp,
  oweMail,
  loginMethods,
}: {
  db: Database;
  oneTimeTokens: OneTimeTokens;
  stepUp: Pick<StepUp, 'requireFresh'>;
  oweMail: OweAccountMail;
  loginMethods: LoginMethods;
}): IdentityLinking {
  const start: IdentityLinking['start'] = async (caller, provider) => {
    await stepUp.requireFresh(caller);
    const { userId, sessionId } = caller;
    return oneTimeTokens.issue(db, 'link_start', userId, { sessionId, provider }, startLifetimeMs);
  };

  const codeFor: IdentityLinking['codeFor'] = async (startToken, person, provider) => {
    const started = await oneTimeTokens.redeem(db, 'link_start', startToken);
    if (!started || started.data.provider !== provider)
      throw new Failure('invalid', 'this linking was not started here, or too long ago');
    const { issuer, subject, name, username } = person;
    const data = { ...started.data, issuer, subject, name: name ?? username ?? null };
    return oneTimeTokens.issue(db, 'link_code', started.userId, data, codeLifetimeMs);
  };

  const finish: IdentityLinking['finish'] = async (caller, code) => {
    const { userId, sessionId } = caller;
    const redeemed = await oneTimeTokens.redeem(db, 'link_code', code);
    if (!redeemed || redeemed.userId !== userId || redeemed.data.sessionId !== sessionId)
      throw new Failure('unauthenticated', 'this code is not valid, was used, or belongs to another session');
    return toView(await link(caller, redeemed.data as unknown as NewLink));
  };

  /** Linking a linked identity again changes nothing. */
  async function link(caller: Caller, newLink: NewLink) {
    const known = await findOwn(db, caller.userId, newLink);
    if (known) return known;
    try {
      return await db.transaction((tx) => insert(tx, caller, newLink));
    } catch (error) {
      if (!isUniqueViolation(error, 'identities')) throw error;
      const row = await findOwn(db, caller.userId, newLink);
      if (!row) throw error;
      return row;
    }
  }

  async function insert(tx: Transaction, caller: Caller, { issuer, subject, provider, name }: NewLink) {
    const { userId } = caller;
    const user = await lockSession(tx, caller);
    if ((await tx.$count(identities, eq(identities.userId, userId))) >= identitiesMax)
      throw new Failure('conflict', `at most ${identitiesMax} identities`);
    const [row] = await tx
      .insert(identities)
      .values({ issuer, subject, userId, provider, profile: { name } })
      .returning();
    await oweNotice(tx, user, { oweMail, kind: 'identity_linked' });
    return row!;
  }

  async function list(userId: string): Promise<IdentityView[]> {
    const rows = await db
      .select()
      .from(identities)
      .where(eq(identities.userId, userId))
      .orderBy(sql`${identities.createdAt}`, identities.id)
      .limit(100);
    return rows.map(toView);
  }

  async function unlink(caller: Caller, identityId: string): Promise<void> {
    await stepUp.requireFresh(caller);
    const { userId } = caller;
    await db.transaction(async (tx) => {
      const user = await lockSession(tx, caller);
      const own = and(eq(identities.userId, userId), eq(identities.id, identityId), isNotNull(identities.provider));
      const [target] = await tx.select({ id: identities.id }).from(identities).where(own);
      if (!target) throw new Failure('not_found', 'no such identity');
      await loginMethods.requireAnother(tx, user, { identityId });
      await tx.delete(identities).where(eq(identities.id, identityId));
      await oweNotice(tx, user, { oweMail, kind: 'identity_unlinked' });
    });
  }

  return { start, codeFor, finish, list, unlink };
}

/** @throws Failure `conflict` if the identity belongs to another account */
async function findOwn(db: Database, userId: string, { issuer, subject }: { issuer: string; subject: string }) {
  const [row] = await db
    .select()
    .from(identities)
    .where(and(eq(identities.issuer, issuer), eq(identities.subject, subject)));
  if (row && row.userId !== userId) throw new Failure('conflict', 'this identity belongs to another account');
  return row;
}

function toView({ id, provider, issuer, profile, createdAt }: typeof identities.$inferSelect): IdentityView {
  const name = typeof profile.name === 'string' ? profile.name : null;
  return { id, provider, issuer, name, createdAt: createdAt.toISOString() };
}
