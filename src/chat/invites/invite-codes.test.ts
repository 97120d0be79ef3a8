import { expect, test } from 'vitest';
import { createInviteCodes } from './invite-codes.ts';

/** Reversible, and tied to its purpose as the real cipher is. */
const cipher = {
  seal: (secret: Buffer, purpose: string) => `${purpose}:${secret.toString('base64')}`,
  open: (sealed: string, purpose: string) => {
    const [sealedFor, secret] = sealed.split(':');
    if (sealedFor !== purpose) throw new Error('sealed for something else');
    return Buffer.from(secret!, 'base64');
  },
};

test('a code is found by its hash, read again by its invite, and linked behind #', () => {
  const codes = createInviteCodes(cipher, 'https://chat.example/');
  const { codeHash, sealedCode } = codes.create('i1');
  const { code, url } = codes.read({ id: 'i1', sealedCode });
  expect(codes.hash(code)).toEqual(codeHash);
  expect(url).toBe(`https://chat.example/#/invite/${code}`);
  expect(code).toMatch(/^[A-Za-z0-9_-]{32}$/);
});

test('the code of one invite does not open as that of another', () => {
  const codes = createInviteCodes(cipher, 'https://chat.example');
  const { sealedCode } = codes.create('i1');
  expect(() => codes.read({ id: 'i2', sealedCode })).toThrow();
});
