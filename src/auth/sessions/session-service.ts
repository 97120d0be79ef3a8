/** A user's own sessions: refreshing, listing and ending them. */
import type { Database } from '../../database/connect.ts';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import type { UserRepository } from '../../user/account/user-repository.ts';
import { requireMayLogIn } from './login-permission.ts';
import type { RotatedSession } from './refresh-tokens.ts';
import type { Revocations } from './revocations.ts';
import type { Login, SessionOpener } from './session-opener.ts';
import type { SessionStore, SessionView } from './session-store.ts';

export interface SessionService {
  /** Exchanges a refresh token. @throws Failure `unauthenticated`, `conflict` as `SessionStore.rotate`, `banned`, `forbidden` */
  readonly refresh: (refreshToken: string) => Promise<Login>;
  readonly list: (userId: string) => Promise<SessionView[]>;
  /** Ends the caller's session. A host application's user has none: all tokens issued to them until now end instead. */
  readonly logout: (caller: Caller) => Promise<void>;
  /** @throws Failure `not_found` */
  readonly end: (userId: string, sessionId: string) => Promise<void>;
  /**
   * Ends every session of the caller, and every host application's token issued to them until now.
   * @param keepCurrent keeps the caller's session; of a host application's tokens, keeps those issued since the caller's
   */
  readonly endAll: (caller: Caller, keepCurrent: boolean) => Promise<void>;
}

export function createSessionService({
  db,
  users,
  sessions,
  opener,
  revocations,
  announceRevocation,
}: {
  db: Database;
  users: UserRepository;
  sessions: SessionStore;
  opener: SessionOpener;
  revocations: Revocations;
  /** Resolves when this instance refuses what was ended; the others get a hint. */
  announceRevocation: () => Promise<void>;
}): SessionService {
  async function rotate(refreshToken: string): Promise<RotatedSession> {
    try {
      return await sessions.rotate(refreshToken);
    } catch (error) {
      // A reused refresh token has ended its session.
      if (error instanceof Failure && error.code === 'unauthenticated') await announceRevocation();
      throw error;
    }
  }

  async function refresh(refreshToken: string): Promise<Login> {
    const session = await rotate(refreshToken);
    const user = await users.find(session.userId);
    if (!user) throw new Failure('unauthenticated', 'the account no longer exists');
    await requireMayLogIn(revocations, user, session);
    return opener.toLogin(user, session);
  }

  async function logout({ userId, sessionId, kind }: Caller): Promise<void> {
    if (sessionId !== undefined) return end(userId, sessionId);
    if (kind !== 'host') return;
    // A host application's token has no session. Only its time of issue can tell it from later ones.
    await db.transaction((tx) => sessions.endHostTokens(tx, userId));
    await announceRevocation();
  }

  async function end(userId: string, sessionId: string): Promise<void> {
    const ended = await db.transaction((tx) => sessions.revoke(tx, userId, sessionId));
    if (!ended) throw new Failure('not_found', 'no such session');
    await announceRevocation();
  }

  async function endAll({ userId, sessionId, issuedAt }: Caller, keepCurrent: boolean): Promise<void> {
    const tokensUntilMs = keepCurrent && issuedAt !== undefined ? issuedAt - 1 : undefined;
    await db.transaction((tx) => sessions.revokeAll(tx, userId, keepCurrent ? sessionId : undefined, tokensUntilMs));
    await announceRevocation();
  }

  return { refresh, list: sessions.list, logout, end, endAll };
}
