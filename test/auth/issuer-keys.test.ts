import { afterAll, beforeAll, expect, test } from 'vitest';
import { audience } from '../harness/host-applications.ts';
import { type Single, startSingle } from '../harness/stack.ts';
import { callApi } from '../harness/test-client.ts';
import { type HostIssuer, startHostIssuer } from './host-issuer.ts';

let host: HostIssuer;
let parley: Single;

beforeAll(async () => {
  host = await startHostIssuer();
  parley = await startSingle({
    PARLEY_AUTH_ISSUERS: JSON.stringify([
      { issuer: host.issuer, audience, jwksUrl: host.jwksUrl, algorithms: ['ES256'] },
    ]),
    PARLEY_AUTH_ISSUER_KEYS_WAITING_MAX: '3',
    PARLEY_AUTH_ISSUER_KEYS_REFETCH: '1h',
    PARLEY_AUTH_ISSUER_KEYS_REFETCH_BURST: '6',
    PARLEY_AUTH_PROVIDER_TIMEOUT: '2s',
    PARLEY_AUTH_PROVIDER_FAILURES_TO_OPEN: '100',
  });
});
afterAll(async () => {
  await parley.end();
  await host.stop();
});

const me = (token: string) =>
  callApi(parley.url, 'GET', '/v1/users/me', undefined, { authorization: `Bearer ${token}` });

test('only `waitingMax` tokens wait for a silent issuer’s keys, and tokens with known keys do not wait', async () => {
  const known = await host.sign({ sub: 'ana' });
  expect((await me(known)).status).toBe(200);
  await host.rotate();
  host.behave('silent');
  const tokens = await Promise.all(Array.from({ length: 8 }, (_, n) => host.sign({ sub: `new-${n}` })));
  const answers = Promise.all(tokens.map(me));
  expect((await me(known)).status).toBe(200);
  const details = (await answers).map(({ status, body }) => [status, body.detail]);
  expect(details.map(([status]) => status)).toEqual(details.map(() => 503));
  expect(details.filter(([, detail]) => detail === 'too many tokens with unknown keys')).toHaveLength(5);
  host.behave('well');
  await expect.poll(async () => (await me(tokens[0]!)).status).toBe(200);
});

test('invented key ids are refused without a request once the fetch budget is empty', async () => {
  const invented = async (kid: string) => me(await host.sign({ sub: 'x' }, { kid }));
  for (let at = 0; at < 6; at++) expect((await invented(`first-${at}`)).status).toBe(401);
  const before = host.asked();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => invented(`more-${at}`)));
  expect(answers.map(({ status, body }) => [status, body.code])).toEqual(answers.map(() => [401, 'unauthenticated']));
  expect((await me(await host.sign({ sub: 'ana' }))).status).toBe(200);
  expect(host.asked()).toBe(before);
});
