import { expect, test } from 'vitest';
import { createReturnAddresses } from './return-addresses.ts';

const addresses = createReturnAddresses('https://chat.example/', ['https://app.example']);

/** Where the browser is sent. */
function target(returnTo: string | undefined): string {
  const reply = { redirect: (url: string) => url };
  return addresses.redirect(reply as never, returnTo, { code: 'x y' }) as unknown as string;
}

test.each([
  [undefined, 'https://chat.example/'],
  ['https://chat.example/room', 'https://chat.example/room'],
  ['https://app.example', 'https://app.example/'],
])('a login may return to %j', (url, href) => {
  expect(addresses.require(url)).toBe(href);
});

test.each([
  'https://evil.example/',
  'https://chat.example.evil.example/',
  'http://chat.example/',
  'javascript:alert(1)',
  'x',
])('a login may not return to %j', (url) => {
  expect(() => addresses.require(url)).toThrow(expect.objectContaining({ code: 'invalid' }));
});

test('the answer is in the fragment, and a stored address that is no longer allowed is replaced', () => {
  expect(target('https://app.example/#old')).toBe('https://app.example/#code=x+y');
  expect(target('https://evil.example/')).toBe('https://chat.example/#code=x+y');
  expect(target(undefined)).toBe('https://chat.example/#code=x+y');
});
