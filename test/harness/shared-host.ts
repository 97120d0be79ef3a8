/** The host application that the run offers to all files: it signs tokens for any user. */
import { importJWK, type JWTPayload, SignJWT } from 'jose';
import { audience, type HostApplication } from './host-applications.ts';

export interface Host {
  readonly issuer: string;
  /** Claims override the defaults. */
  readonly sign: (claims: JWTPayload) => Promise<string>;
}

export function hostOf({ issuer, privateKey }: HostApplication): Host {
  const header = { alg: privateKey.alg!, kid: privateKey.kid! };
  return {
    issuer,
    sign: async (claims) => {
      const now = Math.floor(Date.now() / 1000);
      const payload = { iss: issuer, aud: audience, iat: now, exp: now + 600, ...claims };
      return new SignJWT(payload).setProtectedHeader(header).sign(await importJWK(privateKey));
    },
  };
}
