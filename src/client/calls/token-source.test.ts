import { expect, test } from 'vitest';
import { createHostTokens } from './token-source.ts';

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const tokenUntil = (seconds: number, sub = 'ana') => `h.${encode({ sub, iat: 0, exp: seconds })}.s`;

/** An app whose tokens last 12 seconds, and a clock. */
function startApp() {
  const app = { nowMs: 0, asked: 0 };
  const tokens = createHostTokens(
    async () => {
      app.asked += 1;
      return tokenUntil(app.nowMs / 1000 + 12);
    },
    () => app.nowMs,
  );
  return { app, tokens };
}

test('a token is used until shortly before its end, and asked for once by all who need one', async () => {
  const { app, tokens } = startApp();
  const [first, second] = await Promise.all([tokens.token(), tokens.token()]);
  expect(second).toBe(first);
  app.nowMs = 8000;
  expect(await tokens.token()).toBe(first);
  expect(tokens.dueInMs()).toBe(1000);
  app.nowMs = 9500;
  expect(await tokens.token()).not.toBe(first);
  expect(app.asked).toBe(2);
});

test('a refused token is asked for again, by many callers at once', async () => {
  const { app, tokens } = startApp();
  const refused = await tokens.token();
  app.nowMs = 1000;
  const [one, two] = await Promise.all([tokens.renew(refused), tokens.renew(refused)]);
  expect([one === two, one === refused]).toEqual([true, false]);
  expect(await tokens.renew(refused)).toBe(one);
  expect(app.asked).toBe(2);
});

test('an app that cannot give a token is asked again later, and one without a user is not', async () => {
  const broken = createHostTokens(() => Promise.reject(new Error('503')));
  await expect(broken.token()).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  const loggedOut = createHostTokens(async () => '');
  await expect(loggedOut.token()).rejects.toMatchObject({ code: 'unauthenticated', retryable: false });
});

test('a token that does not tell its end is used until it is refused', async () => {
  let asked = 0;
  const tokens = createHostTokens(async () => `opaque-${++asked}`);
  expect([await tokens.token(), await tokens.token(), tokens.dueInMs()]).toEqual(['opaque-1', 'opaque-1', Infinity]);
});
