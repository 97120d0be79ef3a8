import { expect, test } from 'vitest';
import { codeAt, findStep, stepAt, toBase32, totpUri } from './totp.ts';

/** The secret of RFC 6238, appendix B. */
const secret = Buffer.from('12345678901234567890');

test.each([
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
])('the code at second %i equals the one in RFC 6238, appendix B', (seconds, code) => {
  expect(codeAt(secret, stepAt(seconds))).toBe(code);
});

test('a code works one step early or late, and not after its step was used', () => {
  const seconds = 1_234_567_890;
  const step = stepAt(seconds);
  const find = (from: number, afterStep = 0) => findStep(secret, codeAt(secret, from), { seconds, afterStep });
  expect([-2, -1, 0, 1, 2].map((away) => find(step + away))).toEqual([undefined, step - 1, step, step + 1, undefined]);
  expect(find(step, step)).toBeUndefined();
  expect(find(step + 1, step)).toBe(step + 1);
});

test.each(['', '12345', '1234567', 'abcdef', '１２３４５６'])('%j is refused', (code) => {
  expect(findStep(secret, code, { seconds: 59, afterStep: -5 })).toBeUndefined();
});

test('a secret is written in base32, and the QR code contains all settings', () => {
  expect(toBase32(Buffer.from('foobar'))).toBe('MZXW6YTBOI');
  expect(totpUri(secret, { issuer: 'Parley', account: 'ana maria' })).toBe(
    'otpauth://totp/Parley:ana%20maria?issuer=Parley&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA1&digits=6&period=30',
  );
});
