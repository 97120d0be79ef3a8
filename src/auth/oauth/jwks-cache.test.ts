import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import type { IdentityServer } from './identity-server.ts';
import { createJwksCache, verifyByKeys } from './jwks-cache.ts';

/** An issuer whose key is always called `k`. */
async function startIssuer() {
  let pair = await generateKeyPair('ES256');
  const server = createServer(async (_request, response) => {
    const key = { ...(await exportJWK(pair.publicKey)), kid: 'k', alg: 'ES256' };
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [key] }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    sign: () => new SignJWT({ sub: 'ana' }).setProtectedHeader({ alg: 'ES256', kid: 'k' }).sign(pair.privateKey),
    replaceKey: async () => {
      pair = await generateKeyPair('ES256');
    },
  };
}

const cacheOf = (url: string, maxAgeMs: number) =>
  createJwksCache({
    url,
    server: { timeoutMs: 5000, call: (work: () => Promise<unknown>) => work() } as IdentityServer,
    logger: pino({ level: 'silent' }),
    settings: { maxAgeMs, refetchMs: 1, refetchBurst: 100, waitingMax: 10 },
  });

test('a key that changes under its old id counts once the known one is older than its maximum age, and not before', async () => {
  const issuer = await startIssuer();
  const [lasting, brief] = [cacheOf(issuer.url, 3_600_000), cacheOf(issuer.url, 0)];
  for (const cache of [lasting, brief])
    expect(await verifyByKeys(await issuer.sign(), cache, {})).toMatchObject({ sub: 'ana' });
  await issuer.replaceKey();
  const token = await issuer.sign();
  const verdict = (cache: typeof lasting) =>
    verifyByKeys(token, cache, {}).then(
      () => 'good',
      ({ code }: { code: string }) => code,
    );
  await expect.poll(() => verdict(brief)).toBe('good');
  expect(await verdict(lasting)).toBe('ERR_JWS_SIGNATURE_VERIFICATION_FAILED');
});
