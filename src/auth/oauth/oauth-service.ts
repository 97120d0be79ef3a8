/**
 * Logging in through providers, and adding a provider to an account. An identity is (issuer, subject), and nothing
 * but a login of the account itself links it.
 *
 * Linking: the login asks for an address (`startLink`); the browser goes through the provider with it; the callback hands
 * the page a code, which only the login that asked can redeem. So neither a lured browser nor a foreign code links anything.
 */
import { and, eq, isNotNull, sql } from 'drizzle-orm';
import type { Database } from '../../database/connect.ts';
import { isUniqueViolation } from '../../database/database-errors.ts';
import { identities } from '../../database/tables/identity-tables.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import type { OweAccountMail } from '../../user/account/account-notice.ts';
import { oweNotice } from '../../user/account/account-notice.ts';
import type { UserRepository } from '../../user/account/user-repository.ts';
import type { LoginMethods } from '../credentials/login-methods.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';
import { hashSecret } from '../credentials/random-secrets.ts';
import type { LoginService } from '../login/login-service.ts';
import type { StepUp } from '../mfa/step-up.ts';
import { lockSession } from '../sessions/session-lock.ts';
import type { Login } from '../sessions/session-opener.ts';
import type { Device } from '../sessions/session-store.ts';
import type { IdentityAccounts } from './identity-accounts.ts';
import type { PersonClaims } from './identity-claims.ts';

export interface IdentityView {
  readonly id: string;
  /** Null: a host application. */
  readonly provider: string | null;
  readonly issuer: string;
  /** What the person is called there. */
  readonly name: string | null;
  readonly createdAt: string;
}

/** A way through a provider that has come to its end. */
export interface FinishedProof {
  readonly provider: string;
  /** When the end began, milliseconds since the epoch: an erasure since then is not undone by it. */
  readonly begunAt: number;
  /** SHA-256, base64url, of the secret that the page keeps which asked for the login. */
  readonly binding: string | undefined;
}

export interface OAuthService {
  /** @returns a code that is good once, for a minute, at `exchange` */
  readonly codeFor: (person: PersonClaims, proof: FinishedProof) => Promise<string>;
  /**
   * Opens the login of a code. Bound and unbound must fit both ways: a page that binds its logins takes no code that
   * somebody got without.
   * @throws Failure `unauthenticated` for a code that is over or another page's, and as `openLogin`
   */
  readonly exchange: (proof: { code: string; verifier?: string }, device: Device) => Promise<Login>;
  /**
   * @returns a token for the start of the way through the provider, good once and for `linkLifetimeMs`
   * @throws Failure `step_up_required` unless the login is fresh, `forbidden` to a host application's user
   */
  readonly startLink: (caller: Caller, providerName: string) => Promise<string>;
  /** @returns a code for `finishLink`, good once and for a minute. @throws Failure `invalid` for a token that is over */
  readonly linkCodeFor: (linkToken: string, person: PersonClaims, providerName: string) => Promise<string>;
  /** @throws Failure `unauthenticated` for a code that is over or another login's, `conflict` for somebody else's identity */
  readonly finishLink: (caller: Caller, code: string) => Promise<IdentityView>;
  readonly list: (userId: string) => Promise<IdentityView[]>;
  /** @throws Failure `step_up_required`, `forbidden`, `not_found`, `conflict` when the person could not log in without it */
  readonly unlink: (caller: Caller, identityId: string) => Promise<void>;
}

const codeLifetimeMs = 60_000;
const linkLifetimeMs = 10 * 60_000;
/** Identities of one account. */
const identitiesMax = 20;

export function createOAuthService({
  db,
  users,
  accounts,
  oneTimeTokens,
  auth,
  stepUp,
  oweMail,
  loginMethods,
}: {
  db: Database;
  users: UserRepository;
  accounts: IdentityAccounts;
  oneTimeTokens: OneTimeTokens;
  auth: Pick<LoginService, 'openLogin'>;
  stepUp: Pick<StepUp, 'requireFresh'>;
  oweMail: OweAccountMail;
  loginMethods: LoginMethods;
}): OAuthService {
  async function findOwn(userId: string, person: { issuer: string; subject: string }) {
    const [row] = await db
      .select()
      .from(identities)
      .where(and(eq(identities.issuer, person.issuer), eq(identities.subject, person.subject)));
    if (row && row.userId !== userId) throw new Failure('conflict', 'this identity belongs to another account');
    return row;
  }

  async function link(
    caller: Caller,
    person: { issuer: string; subject: string },
    { provider, name }: { provider: string; name: unknown },
  ) {
    const { userId } = caller;
    const known = await findOwn(userId, person);
    if (known) return known;
    try {
      return await db.transaction(async (tx) => {
        const user = await lockSession(tx, caller);
        if ((await tx.$count(identities, eq(identities.userId, userId))) >= identitiesMax)
          throw new Failure('conflict', `at most ${identitiesMax} identities`);
        const { issuer, subject } = person;
        const [row] = await tx
          .insert(identities)
          .values({ issuer, subject, userId, provider, profile: { name } })
          .returning();
        await oweNotice(tx, user, { oweMail, kind: 'identity_linked' });
        return row!;
      });
    } catch (error) {
      if (!isUniqueViolation(error, 'identities')) throw error;
      const row = await findOwn(userId, person);
      if (!row) throw error;
      return row;
    }
  }

  async function unlink(caller: Caller, identityId: string): Promise<void> {
    await stepUp.requireFresh(caller);
    const { userId } = caller;
    await db.transaction(async (tx) => {
      const user = await lockSession(tx, caller);
      const own = eq(identities.userId, userId);
      const [target] = await tx
        .select({ id: identities.id })
        .from(identities)
        .where(and(own, eq(identities.id, identityId), isNotNull(identities.provider)));
      if (!target) throw new Failure('not_found', 'no such identity');
      await loginMethods.requireAnother(tx, user, { identityId });
      await tx.delete(identities).where(eq(identities.id, identityId));
      await oweNotice(tx, user, { oweMail, kind: 'identity_unlinked' });
    });
  }

  return {
    codeFor: async (person, { provider, begunAt, binding }) => {
      const profile = { name: person.name ?? person.username ?? null };
      const known = await accounts.find(person);
      const userId = known?.userId ?? (await accounts.create(person, { provider, profile, issuedAt: begunAt }));
      return oneTimeTokens.issue(db, 'login_code', userId, binding === undefined ? {} : { binding }, codeLifetimeMs);
    },
    exchange: async ({ code, verifier }, device) => {
      const begun = await oneTimeTokens.peek(db, 'login_code', code);
      // Before the code is taken: a reset takes it away, or is seen when the login is opened.
      const user = begun && (await users.find(begun.userId));
      const redeemed = await oneTimeTokens.redeem(db, 'login_code', code);
      const shown = verifier === undefined ? undefined : hashSecret(verifier).toString('base64url');
      if (redeemed && redeemed.data.binding !== shown)
        throw new Failure('unauthenticated', 'this login was begun by another page');
      if (!user || !redeemed) throw new Failure('unauthenticated', 'this code is not good, or was used');
      return auth.openLogin(user, device);
    },
    startLink: async (caller, provider) => {
      await stepUp.requireFresh(caller);
      const { userId, sessionId } = caller;
      return oneTimeTokens.issue(db, 'link_start', userId, { sessionId, provider }, linkLifetimeMs);
    },
    linkCodeFor: async (linkToken, person, provider) => {
      const started = await oneTimeTokens.redeem(db, 'link_start', linkToken);
      if (!started || started.data.provider !== provider)
        throw new Failure('invalid', 'this linking was not started here, or has ended');
      const { issuer, subject, name, username } = person;
      const data = { ...started.data, issuer, subject, name: name ?? username ?? null };
      return oneTimeTokens.issue(db, 'link_code', started.userId, data, codeLifetimeMs);
    },
    finishLink: async (caller, code) => {
      const { userId, sessionId } = caller;
      const redeemed = await oneTimeTokens.redeem(db, 'link_code', code);
      if (!redeemed || redeemed.userId !== userId || redeemed.data.sessionId !== sessionId)
        throw new Failure('unauthenticated', 'this code is not good, was used, or is for another login');
      const { issuer, subject, provider, name } = redeemed.data as Record<string, string>;
      return toView(await link(caller, { issuer: issuer!, subject: subject! }, { provider: provider!, name }));
    },
    list: async (userId) => {
      const rows = await db
        .select()
        .from(identities)
        .where(eq(identities.userId, userId))
        .orderBy(sql`${identities.createdAt}`, identities.id)
        .limit(100);
      return rows.map(toView);
    },
    unlink,
  };
}

function toView({ id, provider, issuer, profile, createdAt }: typeof identities.$inferSelect): IdentityView {
  const name = typeof profile.name === 'string' ? profile.name : null;
  return { id, provider, issuer, name, createdAt: createdAt.toISOString() };
}
