/** The identity of a GitHub user. GitHub speaks OAuth without OpenID Connect: its API says who the user is. */
import { Failure } from '../../errors.ts';
import { BadAnswer, fetchJson } from './fetch-json.ts';
import { nameOf, textOf, type VerifiedIdentity } from './identity-claims.ts';
import type { Endpoints } from './provider-endpoints.ts';

interface GithubAddress {
  readonly email?: unknown;
  readonly primary?: unknown;
  readonly verified?: unknown;
}

/** @throws Failure `invalid` without a user id, and as `fetchJson` */
export async function proveByGithub(
  accessToken: string,
  { issuer, userUrl }: Endpoints,
  timeoutMs: number,
): Promise<VerifiedIdentity> {
  const headers = { authorization: `Bearer ${accessToken}`, accept: 'application/vnd.github+json' };
  const profile = await fetchJson(userUrl!, { timeoutMs, headers });
  const subject = Number.isSafeInteger(profile.id) ? String(profile.id) : textOf(profile.id, 255);
  if (subject === undefined) throw new Failure('invalid', 'the provider did not say who this is');
  const email = primaryAddress(await readAddresses(`${userUrl}/emails`, { timeoutMs, headers }));
  return {
    issuer,
    subject,
    name: nameOf(profile.name) ?? nameOf(profile.login),
    username: nameOf(profile.login),
    picture: textOf(profile.avatar_url),
    email,
    emailVerified: email !== undefined,
  };
}

/** Empty if the user did not grant the scope: the login goes on without an address. */
async function readAddresses(
  url: string,
  options: { timeoutMs: number; headers: Record<string, string> },
): Promise<readonly GithubAddress[]> {
  try {
    const found: unknown = await fetchJson(url, options);
    return Array.isArray(found)
      ? (found as GithubAddress[]).filter((each) => typeof each === 'object' && each !== null)
      : [];
  } catch (error) {
    if (error instanceof BadAnswer) return [];
    throw error;
  }
}

function primaryAddress(addresses: readonly GithubAddress[]): string | undefined {
  return textOf(addresses.find(({ primary, verified }) => primary === true && verified === true)?.email);
}
