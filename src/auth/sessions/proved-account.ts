import type { UserRow } from '../../user/account/user-repository.ts';

/**
 * An account whose owner proved who they are, as it was read before the proof was checked. The session is opened only if
 * the password hash is still the same: a password change in between withdraws the proof.
 */
export type ProvedAccount = Pick<UserRow, 'id' | 'passwordHash'>;
