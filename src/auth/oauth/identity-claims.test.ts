import { expect, test } from 'vitest';
import { addressOf, nameOf } from './identity-claims.ts';

const email = 'ana@example.org';

test.each([
  [{ email_verified: true }, true],
  [{ email_verified: 'true' }, true],
  [{ email_verified: false }, false],
  [{ email_verified: 'false' }, false],
  [{}, false],
  [{ email_verified: null }, false],
  [{ email_verified: 'True' }, false],
  [{ email_verified: 'yes' }, false],
  [{ email_verified: '1' }, false],
  [{ email_verified: 1 }, false],
  [{ email_verified: '' }, false],
  [{ email_verified: ['true'] }, false],
  [{ email_verified: { true: true } }, false],
  [{ xms_edov: true }, true],
  [{ xms_edov: 'true' }, true],
  [{ xms_edov: '1' }, true],
  [{ xms_edov: 1 }, true],
  [{ xms_edov: false }, false],
  [{ xms_edov: '0' }, false],
  // What the provider says of the address itself counts first.
  [{ email_verified: 'false', xms_edov: true }, false],
])('an address with %j is verified: %s', (claims, emailVerified) => {
  expect(addressOf({ email, ...claims })).toEqual({ email, emailVerified });
});

test.each([undefined, '', 7, 'a\0@example.org', ['ana@example.org']])('%j is no address, and not verified', (odd) => {
  expect(addressOf({ email: odd, email_verified: true })).toEqual({ email: undefined, emailVerified: false });
});

test('a name is made to fit one line, and anything else is none', () => {
  expect(nameOf('Ana\r\nBcc: x')).toBe('Ana Bcc: x');
  expect([nameOf(7), nameOf(undefined), nameOf('\u3164'), nameOf('')]).toEqual(Array(4).fill(undefined));
});
