/**
 * Logins through a provider, bound to the tab that began them: it keeps a secret whose hash goes along, and shows the
 * secret when it exchanges the code. A code that somebody else's login came back with, and that was planted in this
 * page's address, logs nobody in here.
 */
import { ClientError } from './client-error.ts';
import { randomKey } from './random-key.ts';
import type { LoginStorage } from './session.ts';

export interface ProviderLogins {
  /** @returns where the browser is to go */
  readonly begin: (provider: string, returnTo: string) => Promise<string>;
  /** @returns what the code is exchanged with. @throws ClientError `unauthenticated` for a login that did not begin here */
  readonly finish: (code: string) => { readonly code: string; readonly verifier?: string };
}

const key = 'parley.provider-login';

export function createProviderLogins(baseUrl: string, storage: () => LoginStorage): ProviderLogins {
  return {
    begin: async (provider, returnTo) => {
      const query = new URLSearchParams({ returnTo });
      if (canHash()) {
        const verifier = randomKey() + randomKey();
        query.set('binding', await hash(verifier));
        storage().setItem(key, verifier);
      }
      return `${baseUrl}/v1/auth/oauth/${encodeURIComponent(provider)}?${query}`;
    },
    finish: (code) => {
      if (!canHash()) return { code };
      const verifier = storage().getItem(key);
      storage().removeItem(key);
      if (verifier === null)
        throw new ClientError('unauthenticated', 'This login was not begun in this tab: please log in again.');
      return { code, verifier };
    },
  };
}

/** Pages without TLS, but for those of this very device, cannot hash: they have to do without the binding. */
function canHash(): boolean {
  return crypto.subtle !== undefined;
}

/** SHA-256, base64url. */
async function hash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(digest)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
