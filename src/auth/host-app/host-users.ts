/**
 * Users of host applications: created by the first token, and updated when a newer token has other claims.
 *
 * A verified token is cached for a short time. The revocations are checked for every request, and the database whenever a
 * cache entry is renewed. Entries live shorter than revocations are remembered, so no revocation is missed in between.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import type { IdentityAccounts, IdentityRow } from '../oauth/identity-accounts.ts';
import type { HostClaims, HostTokens } from './host-tokens.ts';

export interface HostUsers {
  readonly concerns: (token: string) => boolean;
  /** @throws Failure `unauthenticated`, `token_expired`, `unavailable` */
  readonly fromToken: (token: string) => Promise<Caller>;
}

/** Adds the user to rooms. @returns the rooms that need no further try: joined, or refused for good */
export type JoinRooms = (userId: string, roomIds: readonly string[], by: string) => Promise<readonly string[]>;

const rememberMs = 30_000;

export function createHostUsers({
  tokens,
  accounts,
  joinRooms,
  onProfile,
  logger,
  settings,
}: {
  tokens: HostTokens;
  accounts: IdentityAccounts;
  joinRooms: JoinRooms;
  /** Called after a user's profile was updated. */
  onProfile: (userId: string) => void;
  logger: Logger;
  settings: { cacheMax: number };
}): HostUsers {
  const known = new LRUCache<string, Caller>({ max: settings.cacheMax, ttl: rememberMs });
  const underWay = new Map<string, Promise<Caller>>();

  async function resolve(token: string): Promise<Caller> {
    const claims = await tokens.verify(token);
    const row = await findOrCreate(claims);
    const { issuedAt, expiresAt } = claims;
    if (row.tokensEndedAt && issuedAt <= row.tokensEndedAt.getTime())
      throw new Failure('unauthenticated', 'this login has ended');
    await renew(row, claims);
    return {
      userId: row.userId,
      sessionId: undefined,
      role: (row.managedBy === 'host' ? claims.role : undefined) ?? row.role,
      kind: 'host',
      expiresAt,
      issuedAt,
    };
  }

  async function findOrCreate(claims: HostClaims): Promise<IdentityRow> {
    const row = await accounts.find(claims);
    if (row) return row;
    const { issuedAt, role } = claims;
    await accounts.create(claims, { issuedAt, role, profile: profileOf(claims, []) });
    const created = await accounts.find(claims);
    if (!created) throw new Failure('unavailable', 'the account was erased just now', { retryAfterMs: 1000 });
    return created;
  }

  async function renew(row: IdentityRow, claims: HostClaims): Promise<void> {
    const joined = (row.profile.rooms ?? []) as string[];
    const rooms = [...joined, ...(await join(row, claims, joined))].slice(-1000);
    const said = profileOf(claims, rooms);
    const newer = claims.issuedAt >= Number(row.profile.issuedAt ?? 0);
    const { issuedAt: _now, ...saying } = said;
    const { issuedAt: _before, ...before } = row.profile;
    if (!newer || JSON.stringify(saying) === JSON.stringify(sorted(before, saying))) return;
    await accounts.refresh(row, claims, { profile: said, role: claims.role });
    onProfile(row.userId);
  }

  /** Joins each room only once: a user who left or was removed does not come back with the next token. */
  async function join({ id, userId }: IdentityRow, { rooms }: HostClaims, joined: readonly string[]) {
    const wanted = rooms.filter((roomId) => !joined.includes(roomId));
    if (wanted.length === 0) return [];
    try {
      return await joinRooms(userId, wanted, id);
    } catch (error) {
      logger.warn({ error, userId }, 'rooms named by a host application could not be joined');
      return [];
    }
  }

  return {
    concerns: tokens.concerns,
    fromToken: async (token) => {
      const key = createHash('sha256').update(token).digest('base64');
      let caller = known.get(key);
      if (!caller) {
        const pending = underWay.get(key) ?? resolve(token).finally(() => underWay.delete(key));
        underWay.set(key, pending);
        caller = await pending;
        known.set(key, caller);
      }
      if (caller.expiresAt <= Date.now()) throw new Failure('token_expired', 'the access token has expired');
      return caller;
    },
  };
}

function profileOf(claims: HostClaims, rooms: readonly string[]): Record<string, unknown> {
  const { name = null, picture = null, email = null, emailVerified, role = null, issuedAt } = claims;
  return { name, picture, email, emailVerified, role, rooms: [...rooms], issuedAt };
}

/** Orders the keys as in `like`, since jsonb does not preserve their order. */
function sorted(value: Record<string, unknown>, like: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.keys(like).map((key) => [key, value[key]]));
}
