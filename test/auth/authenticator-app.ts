/** An authenticator app, as on a user's phone. */
import { codeAt, stepAt } from '../../src/auth/mfa/totp.ts';
import { mustCall, type TestUser } from '../harness/test-client.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function fromBase32(text: string): Buffer {
  const bits = [...text].map((each) => alphabet.indexOf(each).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

/** The current code, or that of some steps away. */
export type AuthenticatorApp = (steps?: number) => string;

export async function turnOnApp(user: TestUser): Promise<{ app: AuthenticatorApp; recoveryCodes: string[] }> {
  const { secret } = await mustCall(user, 'POST', '/v1/users/me/second-factors/totp');
  const key = fromBase32(secret as string);
  const app: AuthenticatorApp = (steps = 0) => codeAt(key, stepAt(Date.now() / 1000) + steps);
  // Uses the previous step, so that the code of the current step is still unused.
  const { recoveryCodes } = await mustCall(user, 'POST', '/v1/users/me/second-factors/totp/confirm', { code: app(-1) });
  return { app, recoveryCodes: recoveryCodes as string[] };
}
