import { expect, test } from 'vitest';
import { mailHostOf } from './mail-host.ts';

test.each([
  ['https://chat.example.org', 'chat.example.org'],
  ['https://chat.example.org:8443/chat', 'chat.example.org'],
  ['https://chät.example', 'xn--cht-rla.example'],
  ['http://203.0.113.5:8080', '[203.0.113.5]'],
  ['http://[2001:db8::1]:8080', '[IPv6:2001:db8::1]'],
  ['http://localhost:8080', 'machine.example'],
  ['http://127.0.0.1:8080', 'machine.example'],
  ['http://[::1]:8080', 'machine.example'],
])('mails of %s come from %s', (publicUrl, name) => {
  expect(mailHostOf(publicUrl, 'machine.example')).toBe(name);
});

test('a machine without a domain is called localhost, never by a loopback address', () => {
  expect(mailHostOf('http://localhost:8080', 'laptop')).toBe('localhost');
  expect(mailHostOf('http://127.0.0.1:8080', 'a name')).toBe('localhost');
});
