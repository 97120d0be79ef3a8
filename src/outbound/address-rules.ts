/** Which addresses a request on behalf of a user may connect to: those of the public internet, and what `outbound.allow` adds. */
import ipaddr from 'ipaddr.js';
import { hostWithoutBrackets } from './target-url.ts';

/** Where a request is about to connect. */
export interface Destination {
  /** As in the URL: a name or an address. */
  readonly host: string;
  readonly port: number;
  /** What the name was resolved to, or the address itself. */
  readonly address: string;
}

export type DestinationVerdict = 'allowed' | 'forbidden_address' | 'forbidden_port';

export interface AddressRules {
  readonly check: (destination: Destination) => DestinationVerdict;
  /** The operator allows this host by its name: it is looked up as the system does, in its hosts file too. */
  readonly isAllowedHost: (host: string) => boolean;
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = readonly [Address, number];

const openPorts = new Set([80, 443]);
/** Global unicast addresses: https://www.iana.org/assignments/ipv6-address-space */
const globalUnicast: readonly [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];
/** RFC 6052 §2.1: the last 32 bits are an IPv4 address. */
const nat64: readonly [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('64:ff9b::'), 96];

/** @param allow host names, addresses and CIDRs of `outbound.allow`; any port of them is allowed */
export function createAddressRules(allow: readonly string[]): AddressRules {
  const networks = allow.map(toNetwork).filter((network) => network !== undefined);
  const hosts = new Set(allow.filter((entry) => !toNetwork(entry)).map(toPlainHost));
  const isAllowedHost = (host: string) => hosts.has(toPlainHost(host));

  return {
    isAllowedHost,
    check: ({ host, port, address }) => {
      if (isAllowedHost(host)) return 'allowed';
      const parsed = readAddress(address);
      if (!parsed) return 'forbidden_address';
      if (networks.some((network) => isWithin(parsed, network))) return 'allowed';
      if (!isPublic(parsed)) return 'forbidden_address';
      return openPorts.has(port) ? 'allowed' : 'forbidden_port';
    },
  };
}

/** Undefined for the name of a host. */
function toNetwork(entry: string): Network | undefined {
  if (ipaddr.isValidCIDR(entry)) return ipaddr.parseCIDR(entry);
  if (!ipaddr.isValid(entry)) return undefined;
  const address = ipaddr.parse(entry);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function toPlainHost(host: string): string {
  return hostWithoutBrackets(host).toLowerCase().replace(/\.$/, '');
}

/** An IPv4 address in the clothes of an IPv6 one is judged as what it is. */
function readAddress(text: string): Address | undefined {
  if (!ipaddr.isValid(text)) return undefined;
  const address = ipaddr.process(text);
  if (address.kind() === 'ipv4') return address;
  return isWithin(address, nat64) ? ipaddr.fromByteArray(address.toByteArray().slice(12)) : address;
}

function isWithin(address: Address, network: Network): boolean {
  return address.kind() === network[0].kind() && address.match(network as [never, number]);
}

function isPublic(address: Address): boolean {
  return address.range() === 'unicast' && (address.kind() === 'ipv4' || isWithin(address, globalUnicast));
}
