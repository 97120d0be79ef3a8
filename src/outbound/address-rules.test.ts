import { expect, test } from 'vitest';
import { createAddressRules } from './address-rules.ts';

const verdictOf = (address: string, allow: readonly string[] = [], host = 'site.example', port = 443) =>
  createAddressRules(allow).check({ host, port, address });

test.each([
  ['unspecified', '0.0.0.0'],
  ['of this network', '0.1.2.3'],
  ['loopback', '127.0.0.1'],
  ['the end of loopback', '127.255.255.254'],
  ['private, 10/8', '10.0.0.1'],
  ['private, 172.16/12', '172.31.255.255'],
  ['private, 192.168/16', '192.168.0.1'],
  ['behind a carrier’s NAT', '100.64.0.1'],
  ['link-local', '169.254.1.1'],
  ['metadata of clouds', '169.254.169.254'],
  ['of IETF protocols', '192.0.0.170'],
  ['for documentation', '192.0.2.1'],
  ['for documentation, second', '198.51.100.1'],
  ['for documentation, third', '203.0.113.1'],
  ['a 6to4 relay', '192.88.99.1'],
  ['for benchmarks', '198.19.255.255'],
  ['multicast', '224.0.0.1'],
  ['reserved', '240.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['unspecified, IPv6', '::'],
  ['loopback, IPv6', '::1'],
  ['IPv4 compatible', '::127.0.0.1'],
  ['IPv4 mapped', '::ffff:127.0.0.1'],
  ['IPv4 mapped, in hex', '::ffff:a9fe:a9fe'],
  ['IPv4 translated', '::ffff:0:127.0.0.1'],
  ['NAT64 of loopback', '64:ff9b::7f00:1'],
  ['NAT64 of a private address', '64:ff9b::10.0.0.1'],
  ['NAT64 of metadata', '64:ff9b::a9fe:a9fe'],
  ['local NAT64', '64:ff9b:1::808:808'],
  ['6to4 of loopback', '2002:7f00:1::'],
  ['Teredo', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
  ['discarded', '100::1'],
  ['for documentation, IPv6', '2001:db8::1'],
  ['for benchmarks, IPv6', '2001:2::1'],
  ['ORCHID', '2001:20::1'],
  ['link-local, IPv6', 'fe80::1'],
  ['site-local', 'fec0::1'],
  ['unique local', 'fd00:ec2::254'],
  ['multicast, IPv6', 'ff02::1'],
  ['outside of what is assigned', '4000::1'],
  ['no address at all', 'localhost'],
])('an address %s is forbidden: %s', (_what, address) => {
  expect(verdictOf(address)).toBe('forbidden_address');
});

test.each(['8.8.8.8', '1.1.1.1', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808'])(
  'the public address %s is allowed',
  (address) => expect(verdictOf(address)).toBe('allowed'),
);

test('public addresses are allowed at the ports of the web alone', () => {
  expect(verdictOf('8.8.8.8', [], 'site.example', 80)).toBe('allowed');
  expect(verdictOf('8.8.8.8', [], 'site.example', 22)).toBe('forbidden_port');
  expect(verdictOf('10.0.0.1', [], 'site.example', 22)).toBe('forbidden_address');
});

test('the operator allows hosts by name, by address and by network, at any port', () => {
  const allow = ['Wiki.internal', '10.1.0.0/16', '127.0.0.1', 'fd00::/8'];
  expect(verdictOf('10.9.9.9', allow, 'wiki.internal', 8080)).toBe('allowed');
  expect(verdictOf('10.9.9.9', allow, 'WIKI.INTERNAL.', 8080)).toBe('allowed');
  expect(verdictOf('10.9.9.9', allow, 'wiki.internal.example')).toBe('forbidden_address');
  expect(verdictOf('10.1.2.3', allow, 'any.example', 9000)).toBe('allowed');
  expect(verdictOf('10.2.0.1', allow)).toBe('forbidden_address');
  expect(verdictOf('127.0.0.1', allow)).toBe('allowed');
  expect(verdictOf('::ffff:127.0.0.1', allow)).toBe('allowed');
  expect(verdictOf('127.0.0.2', allow)).toBe('forbidden_address');
  expect(verdictOf('fd12::1', allow)).toBe('allowed');
  expect(verdictOf('fe80::1', allow)).toBe('forbidden_address');
});
