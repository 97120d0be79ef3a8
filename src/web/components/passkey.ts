/** The browser's part of passkeys: passes the server's questions to the authenticator. */
import { startAuthentication, startRegistration } from '@simplewebauthn/browser';
import type { ParleyClient, PasskeyAnswer } from '../../client/parley-client.ts';

interface Ceremony {
  readonly ceremony: string;
  readonly options: never;
}

/** Whether this page may use passkeys; never without https or localhost. */
export const passkeysWork = typeof PublicKeyCredential !== 'undefined';

/** Asks for a passkey. @param begin gets the ceremony from the server */
export async function askPasskey(begin: () => Promise<unknown>): Promise<PasskeyAnswer> {
  const { ceremony, options } = (await begin()) as Ceremony;
  return { ceremony, response: await startAuthentication({ optionsJSON: options }) };
}

/** Makes a passkey and stores it on the server. @returns recovery codes when it is the first factor */
export async function makePasskey(client: ParleyClient, name: string): Promise<readonly string[] | null> {
  const path = '/v1/users/me/second-factors/passkeys';
  const { ceremony, options } = await client.call<Ceremony>('POST', `${path}/options`);
  const response = await startRegistration({ optionsJSON: options });
  const { recoveryCodes } = await client.call<{ recoveryCodes: readonly string[] | null }>('POST', path, {
    ceremony,
    response,
    name,
  });
  return recoveryCodes;
}

/** An error of a passkey in words; undefined for other errors. Closing the browser's dialog counts as using none. */
export function explainPasskey(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name === 'ParleyError') return undefined;
  const words: Readonly<Record<string, string>> = {
    NotAllowedError: 'No passkey was used.',
    InvalidStateError: 'This device already has a passkey for this account.',
    SecurityError: 'Passkeys do not work at this address.',
  };
  return words[error.name];
}
