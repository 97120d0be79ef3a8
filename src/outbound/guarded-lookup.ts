/**
 * Resolves the name of a host for a connection, and checks every address of the answer. The socket connects to one of the
 * addresses that this function returns and resolves nothing itself, so a name that points elsewhere a moment later (DNS
 * rebinding) leads nowhere else.
 */
import { Resolver, lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import type { AddressRules } from './address-rules.ts';
import { OutboundFailure } from './outbound-failure.ts';

/** All addresses of a host; none, or an error, if it is unknown. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export interface GuardedLookup {
  /** @throws OutboundFailure for a host that is an address itself, which sockets do not look up */
  readonly requireAddress: (host: string, port: number) => void;
  /** For `node:net`. Fails with an OutboundFailure. */
  readonly lookupFor: (port: number) => LookupFunction;
}

export function createGuardedLookup(rules: AddressRules, resolve: Resolve): GuardedLookup {
  function requireAllowed(host: string, port: number, address: string): void {
    const verdict = rules.check({ host, port, address });
    if (verdict !== 'allowed') throw new OutboundFailure(verdict);
  }

  /** One forbidden address refuses all: no public site has one. */
  async function resolveAllowed(host: string, port: number): Promise<readonly string[]> {
    const addresses = await resolve(host).catch((cause: unknown) => {
      throw new OutboundFailure('unknown_host', { cause });
    });
    if (addresses.length === 0) throw new OutboundFailure('unknown_host');
    for (const address of addresses) requireAllowed(host, port, address);
    return addresses;
  }

  return {
    requireAddress: (host, port) => {
      if (isIP(host) !== 0) requireAllowed(host, port, host);
    },
    lookupFor:
      (port) =>
      (host, { all }, callback) => {
        resolveAllowed(host, port).then(
          (addresses) => {
            const found = addresses.map((address) => ({ address, family: isIP(address) }));
            if (all) callback(null, found);
            else callback(null, found[0]!.address, found[0]!.family);
          },
          (error: unknown) => callback(error as NodeJS.ErrnoException, []),
        );
      },
  };
}

/**
 * Asks the name servers directly: the system's own lookup blocks one of the few threads that files and hashes need as well,
 * as long as a stranger's name server keeps it waiting. Hosts of `outbound.allow` may be known to the system alone.
 */
export function createResolve(rules: Pick<AddressRules, 'isAllowedHost'>, timeoutMs: number): Resolve {
  return async (host) => {
    if (rules.isAllowedHost(host)) return (await systemLookup(host, { all: true })).map(({ address }) => address);
    const resolver = new Resolver({ timeout: timeoutMs, tries: 1 });
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (found.length === 0 && answers[0].status === 'rejected') throw answers[0].reason;
    return found;
  };
}
