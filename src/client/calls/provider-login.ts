/**
 * Logins through a provider, bound to the tab that began them. The tab keeps a secret, sends its hash along, and shows the secret when it
 * exchanges the code. So nobody can log this tab in by planting the code of another login in its address.
 */
import { ParleyError } from '../parley-error.ts';
import { randomKey } from '../random-key.ts';
import type { LoginStorage } from './session.ts';

export interface ProviderLogins {
  /** @returns where the browser is to go */
  readonly begin: (provider: string, returnTo: string) => Promise<string>;
  /** @returns the body that exchanges the code. @throws ParleyError `unauthenticated` for a login that did not begin here */
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
        throw new ParleyError('unauthenticated', 'This login was not begun in this tab. Please log in again.');
      return { code, verifier };
    },
  };
}

/** Pages without TLS cannot hash, except on localhost. They go without the binding. */
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
