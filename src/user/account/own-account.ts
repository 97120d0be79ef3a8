import { Failure } from '../../errors.ts';
import type { Caller } from '../../http/caller/caller.ts';
import { requireDeployment } from '../../permissions.ts';
import type { UserRepository, UserRow } from './user-repository.ts';

/**
 * Reads the caller's account for a change of its login.
 * @throws Failure `forbidden` for guests and servers, `unauthenticated` if the account was erased
 */
export async function requireOwnAccount(users: Pick<UserRepository, 'find'>, caller: Caller): Promise<UserRow> {
  requireDeployment(caller, 'secure_account');
  const user = await users.find(caller.userId);
  if (!user) throw new Failure('unauthenticated', 'the account no longer exists');
  return user;
}
