/** Checks whether a user may have a session: when one is opened, and when one is refreshed. */
import { Failure } from '../../errors.ts';
import type { UserRow } from '../../user/account/user-repository.ts';
import type { Revocations } from './revocations.ts';

/**
 * Reads the newest bans first, so a ban that was committed before the call is respected.
 * @param byServer whether another server opens the session with its API key. Moderators and admins must log in
 *   themselves: a key with `sessions:write` would otherwise gain rights beyond its scopes
 * @throws Failure `banned`, `forbidden`
 */
export async function requireMayLogIn(
  revocations: Pick<Revocations, 'sync' | 'bannedUntil'>,
  { id, role }: Pick<UserRow, 'id' | 'role'>,
  { byServer }: { byServer: boolean },
): Promise<void> {
  await revocations.sync();
  if (revocations.bannedUntil(id) !== undefined) throw new Failure('banned', 'you are banned');
  if (byServer && role !== 'user')
    throw new Failure('forbidden', `a ${role} must log in themselves: no server opens or keeps a session for them`);
}
