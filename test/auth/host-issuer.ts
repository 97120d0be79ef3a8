/** A host application's side: signs tokens for its users, and serves its public keys, which a test may rotate. */
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose';
import { audience } from '../harness/host-applications.ts';
import { freePort } from '../harness/ports.ts';

export interface HostIssuer {
  readonly issuer: string;
  readonly jwksUrl: string;
  /** Signs with the newest key. Claims and header parameters override the defaults; undefined omits them. */
  readonly sign: (claims: JWTPayload, header?: Partial<JWTHeaderParameters>) => Promise<string>;
  /** Publishes a new key and signs with it. Old keys stay published for `keep` rotations. */
  readonly rotate: (keep?: number) => Promise<void>;
  /** How often the keys were requested. */
  readonly asked: () => number;
  /** The answer to the next requests: keys, an error, or none. */
  readonly behave: (how: 'well' | 'failing' | 'silent') => void;
  readonly stop: () => Promise<void>;
}

export async function startHostIssuer(alg = 'ES256'): Promise<HostIssuer> {
  const port = await freePort();
  const issuer = `https://app-${port}.example`;
  let asked = 0;
  let mood: 'well' | 'failing' | 'silent' = 'well';
  let count = 0;
  const keys: { kid: string; privateKey: CryptoKey; jwk: object }[] = [];

  async function rotate(keep = 1): Promise<void> {
    const kid = `key-${++count}`;
    const { privateKey, publicKey } = await generateKeyPair(alg);
    keys.unshift({ kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } });
    keys.splice(keep + 1);
  }
  await rotate();

  const server = createServer((_request, response) => {
    asked += 1;
    if (mood === 'silent') return;
    response.writeHead(mood === 'well' ? 200 : 500, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));

  return {
    issuer,
    jwksUrl: `http://127.0.0.1:${port}/keys.json`,
    sign: async (claims, header = {}) => {
      const { kid, privateKey } = keys[0]!;
      const now = Math.floor(Date.now() / 1000);
      const payload = { iss: issuer, aud: audience, iat: now, exp: now + 600, ...claims };
      const present = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
      return new SignJWT(present).setProtectedHeader({ alg, kid, ...header }).sign(privateKey);
    },
    rotate,
    asked: () => asked,
    behave: (how) => {
      mood = how;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
