/** Logging in through a provider: the callback gives the page a one-time code, which the page exchanges for a session. */
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { UserRepository } from '../../user/account/user-repository.ts';
import type { OneTimeTokens } from '../credentials/one-time-tokens.ts';
import { hashSecret } from '../credentials/random-secrets.ts';
import type { LoginService } from '../login/login-service.ts';
import type { Login } from '../sessions/session-opener.ts';
import type { Device } from '../sessions/session-store.ts';
import type { IdentityAccounts } from './identity-accounts.ts';
import type { PersonClaims } from './identity-claims.ts';

/** A finished way through a provider. */
export interface FinishedProof {
  readonly provider: string;
  /** When the callback began, milliseconds since the epoch: it cannot undo an erasure after that. */
  readonly begunAt: number;
  /** SHA-256, base64url, of the secret that the page which began the login keeps. */
  readonly binding: string | undefined;
}

export interface OAuthService {
  /** Creates the account at the first login. @returns a code for `exchange` that works once, within a minute */
  readonly codeFor: (person: PersonClaims, proof: FinishedProof) => Promise<string>;
  /**
   * Opens a session. A code of a bound login needs its verifier, and a code of an unbound login must come without one: so
   * a page that binds its logins cannot be given somebody else's code.
   * @throws Failure `unauthenticated` for a stale code or another page's, and as `LoginService.openLogin`
   */
  readonly exchange: (proof: { code: string; verifier?: string }, device: Device) => Promise<Login>;
}

const codeLifetimeMs = 60_000;

export function createOAuthService({
  db,
  users,
  accounts,
  oneTimeTokens,
  auth,
}: {
  db: Database;
  users: UserRepository;
  accounts: IdentityAccounts;
  oneTimeTokens: OneTimeTokens;
  auth: Pick<LoginService, 'openLogin'>;
}): OAuthService {
  const codeFor: OAuthService['codeFor'] = async (person, { provider, begunAt, binding }) => {
    const profile = { name: person.name ?? person.username ?? null };
    const known = await accounts.find(person);
    const userId = known?.userId ?? (await accounts.create(person, { provider, profile, issuedAt: begunAt }));
    return oneTimeTokens.issue(db, 'login_code', userId, binding === undefined ? {} : { binding }, codeLifetimeMs);
  };

  const exchange: OAuthService['exchange'] = async ({ code, verifier }, device) => {
    const begun = await oneTimeTokens.peek(db, 'login_code', code);
    // Read before the code is redeemed: a password reset deletes the code, or the session opener sees it.
    const user = begun && (await users.find(begun.userId));
    const redeemed = await oneTimeTokens.redeem(db, 'login_code', code);
    const shown = verifier === undefined ? undefined : hashSecret(verifier).toString('base64url');
    if (redeemed && redeemed.data.binding !== shown)
      throw new Failure('unauthenticated', 'this login was begun by another page');
    if (!user || !redeemed) throw new Failure('unauthenticated', 'this code is not valid, or was used');
    return auth.openLogin(user, device);
  };

  return { codeFor, exchange };
}
