/** Host applications and a login provider that the shared Parley and the lent fleets know. */
import type { JWK } from 'jose';

export const audience = 'parley-tests';

/** Signs its tokens with a key pair. Known to all. */
export interface HostApplication {
  readonly issuer: string;
  readonly jwksUrl: string;
  readonly privateKey: JWK;
}

/** Signs with a secret, and so does the login provider of the shared Parley, which is a host application too. */
export const macHost = { issuer: 'https://mac.example', secret: 'a secret of the application, of 32 bytes or more' };
