import { expect, test } from 'vitest';
import { createPasswords, requirePassword } from './passwords.ts';

const passwords = createPasswords({ hashConcurrency: 1, hashQueueMax: 1 });

test('a password fits its own hash and no other', async () => {
  const hash = await passwords.hash('correct horse battery');
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await passwords.verify(hash, 'correct horse battery')).toBe(true);
  expect(await passwords.verify(hash, 'correct horse batterz')).toBe(false);
});

test('a password matches in whatever form its letters and spaces are typed', async () => {
  const hash = await passwords.hash('Zu\u0308rich ist scho\u0308n');
  expect(await passwords.match(hash, 'Z\u00fcrich\u00a0ist sch\u00f6n')).toBe('right');
  expect(await passwords.match(hash, 'Zurich ist schon')).toBe('wrong');
  // Compatibility forms are other letters.
  expect(await passwords.match(await passwords.hash('ﬁnal answer'), 'final answer')).toBe('wrong');
});

test('an account without a password lets nobody in', async () => {
  expect(await passwords.verify(null, '')).toBe(false);
  expect(await passwords.verify('plain text', 'plain text')).toBe(false);
});

test('more hashes than may wait are refused', async () => {
  const all = await Promise.allSettled(['first one', 'second one', 'third one'].map((each) => passwords.hash(each)));
  expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
});

test.each([['seven77'], ['x'.repeat(1025)], ['password1'], ['Password1'], ['\ud800 a lone surrogate']])(
  '%j is refused',
  async (password) => {
    await expect(requirePassword(password)).rejects.toThrow(/password/);
  },
);

test.each([['eight888x'], ['ein Satz mit Leerzeichen'], ['x'.repeat(1024)]])('%j is taken', async (password) => {
  await expect(requirePassword(password)).resolves.toBeUndefined();
});
